'use strict';
// Mistakes in names, references, values and settings.

const helpers = 'templates/_helpers.tpl';
const values = 'values.yaml';

module.exports = [
  {
    title: 'a Service selects what nobody is called', check: 'references', finds: /Service\/agenticai-api: its selector matches no pod/,
    edits: [{ file: 'templates/service-api.yaml', find: '(dict "root" . "component" "api") | nindent 4', replace: '(dict "root" . "component" "server") | nindent 4' }],
  },
  {
    title: 'a ServiceMonitor matches nothing', check: 'references', cases: ['serviceMonitor.enabled=true'], finds: /ServiceMonitor.*matches no Service/,
    edits: [{ file: 'templates/observability/servicemonitor.yaml', find: '(dict "root" $ "component" .component) | nindent 6', replace: '(dict "root" $ "component" "metrics") | nindent 6' }],
  },
  {
    title: 'a password is read by a key that its Secret has not', check: 'references', finds: /Secret agenticai-redis has no key/,
    edits: [{ file: 'templates/_connections.tpl', find: '.Values.redis.auth.passwordKey "password")', replace: '"redis-password" "password")' }],
  },
  {
    title: 'a volume is mounted that there is not', check: 'references', finds: /which is no volume/,
    edits: [{ file: 'templates/_connections.tpl', find: '{name: postgresql-password, mountPath', replace: '{name: database-password, mountPath' }],
  },
  {
    title: 'a ServiceAccount is named that nobody makes', check: 'references', finds: /there is no ServiceAccount/,
    edits: [{ file: 'templates/serviceaccounts.yaml', find: '"api" "worker" "scheduler" "migration"', replace: '"api" "worker" "scheduler"' }],
  },
  {
    title: 'a policy lets pods pass that nobody is called', check: 'references', finds: /lets pods pass that are not there/,
    edits: [{ file: 'templates/network/state.yaml', find: '$roles := list "api" "worker" "scheduler"', replace: '$roles := list "api" "workers" "scheduler"' }],
  },
  {
    title: 'deny by default forgets DNS', check: 'pitfalls', finds: /not to DNS/,
    edits: [{ file: 'templates/network/app.yaml', find: '$servers := list $dns', replace: '$servers := list ""' }],
  },
  {
    title: 'selectors hold the version', check: 'selectors', finds: /Deployment\/agenticai-api/,
    edits: [{ file: helpers, find: 'app.kubernetes.io/component: {{ .component }}\n{{- end }}', replace: 'app.kubernetes.io/component: {{ .component }}\nagenticai.dev/version: {{ .root.Chart.AppVersion | quote }}\n{{- end }}' }],
  },
  {
    title: 'objects have fixed names', check: 'names', finds: /ConfigMap\/agenticai-config belongs to both releases/,
    edits: [{ file: 'templates/configmap.yaml', find: '(dict "root" . "component" "config")', replace: '(dict "root" . "component" "config" "name" "agenticai-config")' }],
  },
  {
    title: 'names grow with the release\'s', check: 'names', finds: /has \d+ characters/,
    edits: [{ file: helpers, find: 'printf "%s-%s" .Release.Name $name | trunc 33', replace: 'printf "%s-%s" .Release.Name $name | trunc 63' }, { file: helpers, find: '.Release.Name | trunc 33', replace: '.Release.Name | trunc 63' }],
  },
  {
    title: 'Jobs do not get the proxy', check: 'globals', finds: /migrate: HTTP_PROXY is undefined/,
    edits: [{ file: 'templates/_app.tpl', find: '{{- with include "agenticai.global.env" .root }}', replace: '{{- with (ne .component "migration") | ternary (include "agenticai.global.env" .root) "" }}' }],
  },
  {
    title: 'an image ignores the mirror', check: 'globals', finds: /is not from the registry/,
    edits: [{ file: helpers, find: '.root.Values.global.imageRegistry | default .image.registry', replace: '.image.registry' }],
  },
  {
    title: 'an image is pulled without the pull secret', check: 'globals', finds: /no pull secret/,
    edits: [{ file: 'templates/_pod.tpl', find: '{{- with .root.Values.global.imagePullSecrets }}', replace: '{{- with "" }}' }],
  },
  {
    title: 'an object lacks the common labels', check: 'globals', finds: /lacks the label example.com\/team/,
    edits: [{ file: helpers, find: '{{- with .root.Values.commonLabels }}', replace: '{{- with "" }}' }],
  },
  {
    title: 'helm/images misses an image', check: 'images', finds: /is not printed/,
    edits: [{ file: 'templates/_state.tpl', find: 'image: {{ include "agenticai.image"', replace: 'image: # of this release\n  {{ include "agenticai.image"' }],
  },
  {
    title: 'a value is read by nobody', check: 'values-read', only: (name) => name.startsWith('priorityClasses'), finds: /priorityClasses.unread/,
    edits: [{ file: values, find: '\npriorityClasses:\n', replace: '\npriorityClasses:\n  # -- Read by nobody.\n  unread: 1\n' }],
  },
  {
    title: 'a new value is not in the schema', check: 'generated', stale: true, finds: /run helm\/generate|is not in the schema/,
    edits: [{ file: values, find: '\npriorityClasses:\n', replace: '\npriorityClasses:\n  # -- Not in the schema.\n  forgotten: 1\n' }],
  },
  {
    title: 'the schema accepts keys that do not exist', check: 'generated', finds: /misspelt is accepted/,
    edits: [{ file: 'values.schema.json', find: /"additionalProperties": false/g, replace: '"additionalProperties": true' }],
  },
  {
    title: 'the schema refuses what a chart above gives', check: 'generated', finds: /of a chart above is refused/,
    edits: [{ file: 'values.schema.json', find: /  "enabled": \{[^}]*\},\n(?=  "tags")/, replace: '' }],
  },
  {
    title: 'a setting is misspelt', check: 'settings', finds: /no such setting|means nothing/,
    edits: [{ file: values, find: 'drainSeconds: 25', replace: 'drainSecond: 25' }, { file: 'templates/_app.tpl', find: '$config.worker.drainSeconds', replace: '$config.worker.drainSecond' }],
  },
  {
    title: 'a default is not the program\'s', check: 'settings', finds: /AGENTICAI_WORKER_CONCURRENCY is 128 in the chart and 1024/,
    edits: [{ file: values, find: 'concurrency: 1024', replace: 'concurrency: 128' }],
  },
  {
    title: 'a guard is gone', check: 'guards', only: ({ image }) => image, finds: /is not refused/,
    edits: [{ file: 'templates/_validations.tpl', find: 'if eq (.Values.image.tag | toString) "latest"', replace: 'if false' }],
  },
  {
    title: 'a mode does not render', check: 'matrix', cases: ['redis.mode=none'], finds: /redis.mode=none/,
    edits: [{ file: 'templates/_connections.tpl', find: '{{- define "agenticai.redis.authenticated" -}}', replace: '{{- define "agenticai.redis.authenticated" -}}{{ if eq .Values.redis.mode "none" }}{{ fail "no Redis" }}{{ end }}' }],
  },
  {
    title: 'lint finds a fault', check: 'lint', finds: /helm lint|yamllint/,
    edits: [{ file: values, find: 'priorityClasses:\n', replace: 'priorityClasses:   \n' }],
  },
  {
    title: 'a field of Kubernetes is misspelt', check: 'native', finds: /minReadySecond/,
    edits: [{ file: 'templates/_app.tpl', find: 'minReadySeconds: {{', replace: 'minReadySecond: {{' }],
  },
  {
    title: 'a field is of another type than Kubernetes wants', check: 'native', finds: /port/,
    edits: [{ file: 'templates/service-api.yaml', find: 'port: {{ .Values.api.service.port }}', replace: 'port: {{ .Values.api.service.port | quote }}' }],
  },
  {
    title: 'a field of a custom resource is misspelt', check: 'custom', cases: ['worker.autoscaling.owner=keda'], finds: /coolDownPeriod/,
    edits: [{ file: 'templates/scaledobject.yaml', find: 'cooldownPeriod: {{', replace: 'coolDownPeriod: {{' }],
  },
  {
    title: 'a custom resource has a value that its CRD does not allow', check: 'custom', cases: ['worker.autoscaling.owner=keda'], finds: /pollingInterval/,
    edits: [{ file: 'templates/scaledobject.yaml', find: 'pollingInterval: {{ .keda.pollingInterval }}', replace: 'pollingInterval: "often"' }],
  },
  {
    title: 'custom resources are rendered although nobody asked', check: 'figures', only: () => false, finds: /custom resources of the defaults/,
    edits: [{ file: 'templates/observability/servicemonitor.yaml', find: '{{- if .Values.serviceMonitor.enabled }}', replace: '{{- if true }}' }],
  },
  {
    title: 'a password is made anew at each upgrade', check: 'pitfalls', finds: /makes something anew/,
    edits: [{ file: helpers, find: '{{- $held := lookup "v1" "Secret" .root.Release.Namespace .secret -}}', replace: '{{- $held := dict -}}' }],
  },
  {
    title: 'a Secret is a hook', check: 'pitfalls', finds: /Secret\/agenticai-redis is a hook/,
    edits: [{ file: 'templates/state/secrets.yaml', find: '$keep := dict "helm.sh/resource-policy" "keep"', replace: '$keep := dict "helm.sh/hook" "pre-install"' }],
  },
  {
    title: 'members of RabbitMQ start one after the other', check: 'pitfalls', finds: /StatefulSet\/agenticai-rabbitmq: its members start/,
    edits: [{ file: 'templates/_state.tpl', find: /podManagementPolicy: Parallel/, replace: 'podManagementPolicy: OrderedReady' }],
  },
  {
    title: 'members of RabbitMQ cannot find each other before they are ready', check: 'pitfalls', finds: /hides members that are not ready/,
    edits: [{ file: 'templates/_state.tpl', find: /publishNotReadyAddresses: true/, replace: 'publishNotReadyAddresses: false' }],
  },
];

'use strict';
// Mistakes in what the program runs as.

const app = 'templates/_app.tpl';
const job = 'templates/migration-job.yaml';
const values = 'values.yaml';

module.exports = [
  {
    title: 'the migration Job is a hook', check: 'migration', finds: /it is a hook/,
    edits: [{ file: values, find: 'argocd.argoproj.io/sync-wave: "-1"', replace: 'argocd.argoproj.io/sync-wave: "-1"\n    helm.sh/hook: pre-upgrade' }],
  },
  {
    title: 'the migration Job has a fixed name', check: 'migration', finds: /leaves its name as it is/,
    edits: [{ file: job, find: '(printf "%s-migrate-%s" (include "agenticai.fullname" .) $hash)', replace: '(printf "%s-migrate" (include "agenticai.fullname" .))' }],
  },
  {
    title: 'the migration Job is named by its spec alone, not by the settings', check: 'migration', finds: /another setting leaves its name/,
    edits: [{ file: job, find: '(include "agenticai.app.settings" .)', replace: '""' }],
  },
  {
    title: 'the migration Job deletes itself', check: 'migration', finds: /TTL/,
    edits: [{ file: job, find: 'backoffLimit: {{ .values.backoffLimit }}', replace: 'backoffLimit: {{ .values.backoffLimit }}\nttlSecondsAfterFinished: 300' }],
  },
  {
    title: 'the migration Job of every release is another', check: 'migration', finds: /another number of workers makes another Job/,
    edits: [{ file: job, find: '{{- $hash := printf "%s%s%s" $spec', replace: '{{- $hash := printf "%s%s%s" (toJson .Values.worker.replicaCount) $spec' }],
  },
  {
    title: 'a change of the ConfigMap restarts nobody', check: 'figures', only: () => false, finds: /checksums of api/,
    edits: [{ file: app, find: /\n.*checksum\/config.*/, replace: '' }],
  },
  {
    title: 'workers are killed after 30 seconds', check: 'figures', only: () => false, finds: /longest `once` call/,
    edits: [{ file: app, find: 'terminationGracePeriodSeconds: {{ include "agenticai.app.grace" . }}', replace: 'terminationGracePeriodSeconds: 30' }],
  },
  {
    title: 'readiness is asked at the port of requests', check: 'figures', only: () => false, finds: /readinessProbe of api/,
    edits: [{ file: app, find: 'httpGet: {path: {{ index . 0 }}, port: admin}', replace: 'httpGet: {path: {{ index . 0 }}, port: http}' }],
  },
  {
    title: 'a probe asks a port that the container has not', check: 'references', finds: /asks port health/,
    edits: [{ file: app, find: 'httpGet: {path: {{ index . 0 }}, port: admin}', replace: 'httpGet: {path: {{ index . 0 }}, port: health}' }],
  },
  {
    title: 'a rollout takes a pod away before another is there', check: 'figures', only: () => false, finds: /rollout of api/,
    edits: [{ file: values, find: 'rollingUpdate: {maxSurge: 1, maxUnavailable: 0}', replace: 'rollingUpdate: {maxSurge: 0, maxUnavailable: 1}' }],
  },
  {
    title: 'workers have half of their memory', check: 'figures', only: (component) => component === 'worker', finds: /resources of worker/,
    edits: [{ file: values, find: 'limits: {cpu: "2", memory: 4Gi}', replace: 'limits: {cpu: "2", memory: 2Gi}' }],
  },
  {
    title: 'workers scale by CPU alone', check: 'figures', only: () => false, finds: /targets of worker/,
    edits: [{ file: values, find: 'targetMemory: 85', replace: 'targetMemory: null' }],
  },
  {
    title: 'the autoscaler takes the faster of two policies', check: 'figures', only: () => false, finds: /scale-up of api/,
    edits: [{ file: values, find: 'selectPolicy: Min', replace: 'selectPolicy: Max' }],
  },
  {
    title: 'HPA and KEDA scale the same Deployment', check: 'references', cases: ['worker.autoscaling.owner=keda'], finds: /more than one autoscaler/,
    edits: [{ file: 'templates/hpa.yaml', find: '(ne ($scaling.owner | default "hpa") "keda")', replace: '$scaling.enabled' }],
  },
  {
    title: 'an autoscaler goes by a metric that nobody emits', check: 'pitfalls', cases: ['worker.autoscaling.owner=keda'], finds: /no metric agenticai_tasks_waiting_in_queue/,
    edits: [{ file: 'templates/scaledobject.yaml', find: '(agenticai_tasks_ready{', replace: '(agenticai_tasks_waiting_in_queue{' }],
  },
  {
    title: 'a budget lets no pod go', check: 'references', finds: /PodDisruptionBudget\/agenticai-api: lets no pod go/,
    edits: [{ file: 'templates/poddisruptionbudgets.yaml', find: 'maxUnavailable: {{ $values.podDisruptionBudget.maxUnavailable }}', replace: 'maxUnavailable: 0' }],
  },
  {
    title: 'a budget wants the only pod of its kind', check: 'references', finds: /no node could ever be drained/,
    edits: [{ file: 'templates/state/poddisruptionbudgets.yaml', find: /\(gt \(include "agenticai.state.replicas".*?\) 1\)/, replace: 'true' },
      { file: 'templates/state/poddisruptionbudgets.yaml', find: 'maxUnavailable: {{ $budget.maxUnavailable }}', replace: 'minAvailable: 1' }],
  },
  {
    title: 'the root of containers is writable', check: 'pods', finds: /api api: its root is writable/,
    edits: [{ file: values, find: 'readOnlyRootFilesystem: true', replace: 'readOnlyRootFilesystem: false' }],
  },
  {
    title: 'nothing can be written to /tmp', check: 'pods', finds: /has no \/tmp/,
    edits: [{ file: app, find: '  - {name: tmp, mountPath: /tmp}\n', replace: '' }],
  },
  {
    title: 'every pod gets a token', check: 'pods', finds: /automountServiceAccountToken is true/,
    edits: [{ file: 'templates/_pod.tpl', find: '{{ .token | default false }}', replace: 'true' }],
  },
  {
    title: 'the program runs as the mesh\'s own user', check: 'pods', finds: /1337/,
    edits: [{ file: values, find: 'runAsUser: 65532', replace: 'runAsUser: 1337' }],
  },
  {
    title: 'an image is latest', check: 'pods', finds: /image .*otel.* is of no version|image .*latest is of no version/,
    edits: [{ file: values, find: /(\notelCollector:[^]*?\n    tag: )"?[^\s"]+"?/, replace: '$1"latest"' }, { file: 'templates/observability/_validations.tpl', find: '(eq ($values.image.tag | toString) "latest")', replace: 'false' }],
  },
  {
    title: 'an image is Bitnami\'s', check: 'pods', finds: /Bitnami/,
    edits: [{ file: values, find: /(\nredis:[^]*?\n    repository: )\S+/, replace: '$1bitnami/valkey' }],
  },
  {
    title: 'a variable stands twice', check: 'pods', finds: /POD_NAME twice/,
    edits: [{ file: app, find: '  - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}\n', replace: '  - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}\n  - {name: POD_NAME, value: again}\n' }],
  },
  {
    title: 'a container runs privileged', check: 'policy', finds: /CKV_K8S_16/,
    edits: [{ file: values, find: 'capabilities: {drop: [ALL]}', replace: 'capabilities: {drop: [ALL]}\n    privileged: true' }],
  },
];

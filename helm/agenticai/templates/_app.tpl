{{/* The pods of the program itself: one shape for every role. */}}

{{/*
agenticai.settings (dict "path" "AGENTICAI" "values" .Values.config): a ConfigMap's lines, one for each setting. Names in
values are those of the program in another spelling: worker.drainSeconds is AGENTICAI_WORKER_DRAIN_SECONDS. What is null or
empty is left to the program.
*/}}
{{- define "agenticai.settings" -}}
{{- range $name, $value := .values }}
{{- $path := printf "%s_%s" $.path ($name | snakecase | upper) }}
{{- if kindIs "map" $value }}
{{- include "agenticai.settings" (dict "path" $path "values" $value) }}
{{- else if kindIs "slice" $value }}
{{- if $value }}
{{ $path }}: {{ join "," $value | quote }}
{{- end }}
{{- else if not (or (kindIs "invalid" $value) (eq (toString $value) "")) }}
{{ $path }}: {{ if kindIs "float64" $value }}{{ if eq (floor $value) $value }}{{ $value | int64 | quote }}{{ else }}{{ $value | quote }}{{ end }}{{ else }}{{ $value | quote }}{{ end }}
{{- end }}
{{- end }}
{{- end }}

{{/* agenticai.app.settings $: all lines of the ConfigMap. */}}
{{- define "agenticai.app.settings" -}}
{{ include "agenticai.settings" (dict "path" "AGENTICAI" "values" .Values.config) | trim }}
{{ include "agenticai.connections" . }}
{{- end }}

{{/* Not empty for the roles that speak to models and tools, or know who would: nobody else is shown their keys. */}}
{{- define "agenticai.app.models" -}}
{{- if has .component (list "api" "worker") }}yes{{ end -}}
{{- end }}

{{- define "agenticai.llm.secret" -}}
{{- .Values.secrets.llm.existingSecret | default (include "agenticai.component.name" (dict "root" . "component" "llm")) }}
{{- end }}

{{/*
agenticai.app.env (dict "root" $ "values" .Values.api): the ConfigMap is read variable by variable and not mounted: a
program's settings are fixed at its start, and the checksum in the pod's annotations restarts it when they change.
*/}}
{{- define "agenticai.app.env" -}}
env:
  - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
  {{- with include "agenticai.global.env" .root }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with .values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
envFrom:
  - configMapRef: {name: {{ include "agenticai.component.name" (dict "root" .root "component" "config") }}}
  {{- if include "agenticai.app.models" . }}
  - secretRef: {name: {{ include "agenticai.llm.secret" .root }}}
  {{- end }}
  {{- with .values.extraEnvFrom }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "agenticai.app.volumeMounts" -}}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  {{- include "agenticai.connections.volumeMounts" .root | nindent 2 }}
  {{- if include "agenticai.app.models" . }}
  - {name: llm, mountPath: /run/secrets/agenticai/llm, readOnly: true}
  {{- end }}
  {{- with include "agenticai.global.volumeMounts" .root }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with .values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "agenticai.app.volumes" -}}
volumes:
  - name: tmp
    emptyDir: {sizeLimit: 256Mi}
  {{- include "agenticai.connections.volumes" .root | nindent 2 }}
  {{- if include "agenticai.app.models" . }}
  - name: llm
    secret: {secretName: {{ include "agenticai.llm.secret" .root }}, defaultMode: 0440}
  {{- end }}
  {{- with include "agenticai.global.volumes" .root }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with .values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/*
agenticai.app.grace (dict "root" $ "component" "worker" "values" .Values.worker): seconds that a stop may take: the pause
before it, the drain, for workers the longest `once` call in its place, and ten to say good-bye.
*/}}
{{- define "agenticai.app.grace" -}}
{{- $config := .root.Values.config -}}
{{- $drain := $config.worker.drainSeconds | int -}}
{{- if eq .component "worker" }}{{ $drain = max $drain ($config.worker.maxOnceTimeoutSeconds | int) }}{{ end -}}
{{- .values.terminationGracePeriodSeconds | default (add ($config.cluster.preStopSeconds | int) $drain 10) }}
{{- end }}

{{/*
agenticai.app.replicas (dict "root" $ "component" "api" "values" .Values.api "scaled" bool): under an autoscaler the number
of the values counts at the first install; after that what runs is kept, or every upgrade would undo the autoscaler's work.
*/}}
{{- define "agenticai.app.replicas" -}}
{{- $live := dict -}}
{{- if .scaled }}
{{- $live = lookup "apps/v1" "Deployment" .root.Release.Namespace (include "agenticai.component.name" .) | default dict -}}
{{- end -}}
{{- dig "spec" "replicas" (.values.replicaCount | int) $live }}
{{- end }}

{{/* agenticai.app.probe (list PATH TIMES): a probe on the port of health and metrics. */}}
{{- define "agenticai.app.probe" -}}
httpGet: {path: {{ index . 0 }}, port: admin}
{{ toYaml (index . 1) }}
{{- end }}

{{/*
agenticai.app.deployment (dict "root" $ "component" "api" "values" .Values.api "scaled" bool "ports" list): the whole
Deployment of a role.
*/}}
{{- define "agenticai.app.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "agenticai.metadata" . | nindent 2 }}
spec:
  replicas: {{ include "agenticai.app.replicas" . }}
  revisionHistoryLimit: {{ .values.revisionHistoryLimit }}
  minReadySeconds: {{ .values.minReadySeconds }}
  strategy:
    {{- toYaml .values.strategy | nindent 4 }}
  selector:
    matchLabels:
      {{- include "agenticai.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "agenticai.labels" . | nindent 8 }}
        {{- with .values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      annotations:
        checksum/config: {{ include (print .root.Template.BasePath "/configmap.yaml") .root | sha256sum }}
        checksum/secrets: {{ .root.Values.secrets | toJson | sha256sum }}
        {{- with .values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      {{- include "agenticai.pod.head" (merge (dict "account" (include "agenticai.serviceAccountName" (merge (dict "account" .values.serviceAccount) .))) .) | nindent 6 }}
      {{- include "agenticai.pod.spread" (merge (dict "revisions" true) .) | trim | nindent 6 }}
      terminationGracePeriodSeconds: {{ include "agenticai.app.grace" . }}
      containers:
        - name: {{ .component }}
          image: {{ include "agenticai.image" (dict "root" .root "image" .root.Values.image "tag" .root.Chart.AppVersion) }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          args: [{{ .component }}]
          securityContext:
            {{- toYaml .values.securityContext | nindent 12 }}
          ports:
            {{- range .ports }}
            - {name: {{ .name }}, containerPort: {{ .port }}}
            {{- end }}
            - {name: admin, containerPort: {{ .root.Values.config.cluster.adminPort }}}
          {{- include "agenticai.app.env" . | nindent 10 }}
          startupProbe:
            {{- include "agenticai.app.probe" (list "/health/live" .values.probes.startup) | nindent 12 }}
          livenessProbe:
            {{- include "agenticai.app.probe" (list "/health/live" .values.probes.liveness) | nindent 12 }}
          readinessProbe:
            {{- include "agenticai.app.probe" (list "/health/ready" .values.probes.readiness) | nindent 12 }}
          resources:
            {{- toYaml .values.resources | nindent 12 }}
          {{- include "agenticai.app.volumeMounts" . | nindent 10 }}
      {{- include "agenticai.app.volumes" . | nindent 6 }}
{{- end }}

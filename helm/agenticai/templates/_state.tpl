{{/* What the servers that keep state have in common. */}}

{{/*
agenticai.state.components $: which of them the chart makes as StatefulSets, as a list in YAML.
*/}}
{{- define "agenticai.state.components" -}}
{{- if eq .Values.postgresql.mode "statefulset" }}
- postgresql
{{- end }}
{{- if has .Values.redis.mode (list "single" "sentinel" "cluster") }}
- redis
{{- end }}
{{- if eq .Values.rabbitmq.mode "statefulset" }}
- rabbitmq
{{- end }}
{{- if .Values.chromadb.enabled }}
- chromadb
{{- end }}
{{- end }}

{{/* agenticai.state.replicas (dict "root" $ "component" "redis"): how many pods a component has in its mode. */}}
{{- define "agenticai.state.replicas" -}}
{{- if eq .component "redis" }}{{ get (dict "single" 1 "sentinel" 3 "cluster" 6) .root.Values.redis.mode }}
{{- else }}{{ (index .root.Values .component).replicaCount }}{{ end -}}
{{- end }}

{{/* agenticai.state.version (dict "values" map): of an image, for the version label; 18.6-alpine is 18.6. */}}
{{- define "agenticai.state.version" -}}
{{- regexFind "^[0-9.]+" (.values.image.tag | toString) | default "custom" }}
{{- end }}

{{/*
agenticai.state.spec (dict "root" $ "component" "redis" "values" map "replicas" n ["role" "primary"]): the first lines of a
StatefulSet. All pods start at once: members of a group wait for each other, and one that is ill must not keep the others
from coming back. Claims outlive the set: what they hold is never deleted with it.
*/}}
{{- define "agenticai.state.spec" -}}
replicas: {{ .replicas }}
revisionHistoryLimit: {{ .values.revisionHistoryLimit }}
serviceName: {{ include "agenticai.component.name" . }}-headless
podManagementPolicy: Parallel
updateStrategy:
  {{- toYaml .values.updateStrategy | nindent 2 }}
persistentVolumeClaimRetentionPolicy:
  whenDeleted: Retain
  whenScaled: Retain
selector:
  matchLabels:
    {{- include "agenticai.selector" . | nindent 4 }}
    {{- with .role }}
    agenticai.dev/role: {{ . }}
    {{- end }}
volumeClaimTemplates:
  # Nothing here may ever change, so it carries no label that does.
  - metadata:
      name: data
      labels:
        {{- include "agenticai.selector" . | nindent 8 }}
    spec:
      accessModes: [ReadWriteOnce]
      {{- with include "agenticai.storageClass" (dict "root" .root "persistence" .values.persistence) | trim }}
      {{- . | nindent 6 }}
      {{- end }}
      resources:
        requests: {storage: {{ .values.persistence.size }}}
{{- end }}

{{/*
agenticai.state.podMetadata (dict … "config" TEXT): labels and annotations of a pod; it restarts when TEXT changes. The
chart's version is not among the labels: a new one that changes nothing here must not restart a database.
*/}}
{{- define "agenticai.state.podMetadata" -}}
labels:
  {{- omit (include "agenticai.labels" (merge (dict "version" (include "agenticai.state.version" .)) .) | fromYaml) "helm.sh/chart" | toYaml | nindent 2 }}
  {{- with .role }}
  agenticai.dev/role: {{ . }}
  {{- end }}
  {{- with .values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  checksum/config: {{ .config | sha256sum }}
  {{- with .values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* agenticai.state.podHead (dict "root" $ "component" "redis" "values" map): where a pod runs, as whom, and how long it may take to stop. */}}
{{- define "agenticai.state.podHead" -}}
{{ include "agenticai.pod.head" (merge (dict "account" (include "agenticai.serviceAccountName" (merge (dict "account" .values.serviceAccount) .))) .) }}
{{ include "agenticai.pod.spread" . | trim }}
terminationGracePeriodSeconds: {{ .values.terminationGracePeriodSeconds }}
{{- end }}

{{/* agenticai.state.container (dict "root" $ "values" map): image, pull policy and security context of a container. */}}
{{- define "agenticai.state.container" -}}
image: {{ include "agenticai.image" (dict "root" .root "image" .values.image) }}
imagePullPolicy: {{ .values.image.pullPolicy }}
securityContext:
  {{- toYaml .values.securityContext | nindent 2 }}
{{- with .values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* agenticai.state.env (dict "root" $ "values" map): what every container is told besides what its scripts need. */}}
{{- define "agenticai.state.env" -}}
{{- include "agenticai.global.env" .root | trim }}
{{- with .values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "agenticai.state.volumeMounts" -}}
- {name: tmp, mountPath: /tmp}
{{- with include "agenticai.global.volumeMounts" .root | trim }}
{{ . }}
{{- end }}
{{- with .values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "agenticai.state.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: 256Mi}
{{- with include "agenticai.global.volumes" .root | trim }}
{{ . }}
{{- end }}
{{- with .values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/*
agenticai.state.service (dict "root" $ "component" "redis" "values" map "name" NAME "ports" list ["headless" bool]
["selector" map]): a Service. A headless one names every pod, those too that are not ready yet: they have to find each
other to become so.
*/}}
{{- define "agenticai.state.service" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "agenticai.metadata" . | nindent 2 }}
spec:
  type: ClusterIP
  {{- if .headless }}
  clusterIP: None
  publishNotReadyAddresses: true
  {{- end }}
  ipFamilyPolicy: {{ .values.service.ipFamilyPolicy }}
  selector:
    {{- include "agenticai.selector" . | nindent 4 }}
    {{- with .selector }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  ports:
    {{- range .ports }}
    - {name: {{ .name }}, port: {{ .port }}, targetPort: {{ .target | default .name }}}
    {{- end }}
{{- end }}

{{/* agenticai.state.files (dict "root" $ "folder" "redis"): a ConfigMap's lines, one for each file of files/FOLDER. */}}
{{- define "agenticai.state.files" -}}
{{- $root := .root -}}
{{- range $path, $_ := .root.Files.Glob (printf "files/%s/*" .folder) }}
{{ base $path }}: |
  {{- tpl ($root.Files.Get $path) $root | trim | nindent 2 }}
{{- end }}
{{- end }}

{{/* agenticai.state.domain (dict "root" $ "component" "redis"): the domain of the pods' names. */}}
{{- define "agenticai.state.domain" -}}
{{ include "agenticai.component.name" . }}-headless.{{ .root.Release.Namespace }}.svc.{{ .root.Values.global.clusterDomain }}
{{- end }}

{{/* agenticai.state.addresses (dict "root" $ "component" "redis" "replicas" n "port" p): `host:port` of every pod, in order. */}}
{{- define "agenticai.state.addresses" -}}
{{- $name := include "agenticai.component.name" . -}}
{{- $domain := include "agenticai.state.domain" . -}}
{{- $port := .port -}}
{{- range $i := until (int .replicas) }}{{ if $i }} {{ end }}{{ $name }}-{{ $i }}.{{ $domain }}:{{ $port }}{{ end -}}
{{- end }}

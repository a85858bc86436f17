{{/* Names, labels, selectors and images: what every template of the chart calls things by. */}}

{{- define "agenticai.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The release's own name where it says what it is, else the release's and the chart's. Room is left for `-suffixes`. */}}
{{- define "agenticai.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 33 | trimSuffix "-" }}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 33 | trimSuffix "-" }}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 33 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{/* agenticai.component.name (dict "root" $ "component" "api"): the name of a component's objects. */}}
{{- define "agenticai.component.name" -}}
{{- printf "%s-%s" (include "agenticai.fullname" .root) .component }}
{{- end }}

{{/*
agenticai.clusterwide.name $: the beginning of the names of objects that belong to no namespace. Two releases of one name in
two namespaces must not fight over them.
*/}}
{{- define "agenticai.clusterwide.name" -}}
{{- $name := include "agenticai.fullname" . -}}
{{- if eq $name .Release.Namespace }}{{ $name }}{{ else }}{{ printf "%s-%s" .Release.Namespace $name }}{{ end -}}
{{- end }}

{{- define "agenticai.chart" -}}
{{- printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* agenticai.selector (dict "root" $ "component" "api"): what never changes between releases. */}}
{{- define "agenticai.selector" -}}
app.kubernetes.io/name: {{ include "agenticai.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* agenticai.labels (dict "root" $ "component" "api" ["version" "18"]): of objects. */}}
{{- define "agenticai.labels" -}}
{{ include "agenticai.selector" . }}
app.kubernetes.io/version: {{ .version | default .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: {{ include "agenticai.name" .root }}
helm.sh/chart: {{ include "agenticai.chart" .root }}
{{- with .root.Values.global.region }}
agenticai.dev/region: {{ . | quote }}
{{- end }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* agenticai.annotations (dict "root" $ ["own" map]): the common ones and those of the object itself, as `annotations:`. */}}
{{- define "agenticai.annotations" -}}
{{- $all := merge (dict) (.own | default dict) (.root.Values.commonAnnotations | default dict) -}}
{{- with $all }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* agenticai.metadata (dict "root" $ "component" "api" ["name" n] ["own" annotations] ["labels" map]): an object's whole metadata. */}}
{{- define "agenticai.metadata" -}}
name: {{ .name | default (include "agenticai.component.name" .) }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "agenticai.labels" . | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- include "agenticai.annotations" . }}
{{- end }}

{{/*
agenticai.image (dict "root" $ "image" .Values.x.image ["tag" default]): where an image is pulled from. A digest goes
before the tag; global.imageRegistry takes the place of the image's own registry, as mirrors want it.
*/}}
{{- define "agenticai.image" -}}
{{- $registry := .root.Values.global.imageRegistry | default .image.registry -}}
{{- $name := .image.repository -}}
{{- if $registry }}{{ $name = printf "%s/%s" (trimSuffix "/" $registry) $name }}{{ end -}}
{{- if .image.digest }}{{ printf "%s@%s" $name .image.digest }}
{{- else }}{{ printf "%s:%s" $name (.image.tag | default .tag | toString) }}{{ end -}}
{{- end }}

{{/* agenticai.serviceAccountName (dict "root" $ "component" "api" "account" .Values.api.serviceAccount) */}}
{{- define "agenticai.serviceAccountName" -}}
{{- if .account.create }}{{ .account.name | default (include "agenticai.component.name" .) }}
{{- else }}{{ .account.name | default "default" }}{{ end -}}
{{- end }}

{{/* agenticai.secretName (dict "root" $ "component" "redis" "auth" map): the secret that somebody else made, or ours. */}}
{{- define "agenticai.secretName" -}}
{{- .auth.existingSecret | default (include "agenticai.component.name" .) }}
{{- end }}

{{/*
agenticai.password (dict "root" $ "secret" NAME "key" KEY "value" given ["length" 32]): a password, in base64. What is given goes first;
else what the cluster holds already, so that an upgrade never changes it; only where there is none is one made.
*/}}
{{- define "agenticai.password" -}}
{{- if .value }}{{ .value | b64enc }}
{{- else }}
{{- $held := lookup "v1" "Secret" .root.Release.Namespace .secret -}}
{{- $kept := dig "data" .key "" ($held | default dict) -}}
{{- $kept | default (randAlphaNum (.length | default 32 | int) | b64enc) }}
{{- end -}}
{{- end }}

{{/* agenticai.storageClass (dict "root" $ "persistence" map): the line of a claim, if any; "-" asks for none at all. */}}
{{- define "agenticai.storageClass" -}}
{{- $class := .persistence.storageClass | default .root.Values.global.storageClass -}}
{{- if eq ($class | default "") "-" }}
storageClassName: ""
{{- else if $class }}
storageClassName: {{ $class | quote }}
{{- end }}
{{- end }}

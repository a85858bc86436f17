{{/* Collector and Jaeger. Both are configured by one file, and both run as pods of one shape. */}}

{{/* agenticai.otelCollector.config $: the Collector's configuration, with `extraConfig` laid over it. */}}
{{- define "agenticai.otelCollector.config" -}}
{{- mergeOverwrite (tpl (.Files.Get "files/otel-collector/config.yaml") . | fromYaml) .Values.otelCollector.extraConfig | toYaml }}
{{- end }}

{{/* agenticai.observability.configmap (dict "root" $ "component" "jaeger" "config" TEXT) */}}
{{- define "agenticai.observability.configmap" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  {{- include "agenticai.metadata" . | nindent 2 }}
data:
  config.yaml: |
    {{- .config | nindent 4 }}
{{- end }}

{{- define "agenticai.observability.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "agenticai.metadata" (merge (dict "name" (include "agenticai.serviceAccountName" (merge (dict "account" .values.serviceAccount) .)) "own" .values.serviceAccount.annotations) .) | nindent 2 }}
automountServiceAccountToken: false
{{- end }}

{{/* agenticai.observability.service (dict "root" $ "component" "jaeger" "values" .Values.jaeger "ports" list) */}}
{{- define "agenticai.observability.service" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "agenticai.metadata" (merge (dict "own" .values.service.annotations) .) | nindent 2 }}
spec:
  type: ClusterIP
  ipFamilyPolicy: {{ .values.service.ipFamilyPolicy }}
  selector:
    {{- include "agenticai.selector" . | nindent 4 }}
  ports:
    {{- range .ports }}
    - {name: {{ .name }}, port: {{ .port }}, targetPort: {{ .name }}{{ with .protocol }}, appProtocol: {{ . }}{{ end }}}
    {{- end }}
{{- end }}

{{/* agenticai.observability.probe (list PATH TIMES) */}}
{{- define "agenticai.observability.probe" -}}
httpGet: {path: {{ index . 0 }}, port: health}
{{ toYaml (index . 1) }}
{{- end }}

{{/*
agenticai.observability.template (dict "root" $ "component" "jaeger" "values" .Values.jaeger "config" TEXT "ports" list "health"
PATH "mounts" list "volumes" list): the template of a pod that reads its configuration from its ConfigMap.
*/}}
{{- define "agenticai.observability.template" -}}
metadata:
  labels:
    {{- include "agenticai.labels" (merge (dict "version" .values.image.tag) .) | nindent 4 }}
    {{- with .values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    checksum/config: {{ .config | sha256sum }}
    {{- with .values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- include "agenticai.pod.head" (merge (dict "account" (include "agenticai.serviceAccountName" (merge (dict "account" .values.serviceAccount) .))) .) | nindent 2 }}
  {{- with .placement }}
  {{- . | nindent 2 }}
  {{- end }}
  containers:
    - name: {{ .component }}
      image: {{ include "agenticai.image" (dict "root" .root "image" .values.image) }}
      imagePullPolicy: {{ .values.image.pullPolicy }}
      args: [--config=/etc/{{ .component }}/config.yaml]
      securityContext:
        {{- toYaml .values.securityContext | nindent 8 }}
      ports:
        {{- range .ports }}
        - {name: {{ .name }}, containerPort: {{ .port }}}
        {{- end }}
        - {name: health, containerPort: 13133}
      {{- $env := include "agenticai.global.env" .root }}
      {{- if or $env .values.extraEnv }}
      env:
        {{- with $env }}
        {{- . | nindent 8 }}
        {{- end }}
        {{- with .values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- end }}
      startupProbe:
        {{- include "agenticai.observability.probe" (list .health .values.probes.startup) | nindent 8 }}
      livenessProbe:
        {{- include "agenticai.observability.probe" (list .health .values.probes.liveness) | nindent 8 }}
      readinessProbe:
        {{- include "agenticai.observability.probe" (list .health .values.probes.readiness) | nindent 8 }}
      resources:
        {{- toYaml .values.resources | nindent 8 }}
      volumeMounts:
        - {name: config, mountPath: /etc/{{ .component }}, readOnly: true}
        - {name: tmp, mountPath: /tmp}
        {{- range .mounts }}
        - {{ toJson . }}
        {{- end }}
        {{- with include "agenticai.global.volumeMounts" .root }}
        {{- . | nindent 8 }}
        {{- end }}
        {{- with .values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: config
      configMap: {name: {{ include "agenticai.component.name" . }}}
    - name: tmp
      emptyDir: {sizeLimit: 64Mi}
    {{- range .volumes }}
    - {{ toJson . }}
    {{- end }}
    {{- with include "agenticai.global.volumes" .root }}
    {{- . | nindent 4 }}
    {{- end }}
    {{- with .values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

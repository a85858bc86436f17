{{/* What every pod of the chart has in common: where it runs, as whom, and what of its surroundings it is told. */}}

{{/*
agenticai.pod.head (dict "root" $ "component" "api" "values" .Values.api "account" NAME "token" bool): the first lines of
a pod's spec. Only a pod that speaks to the API server gets a token.
*/}}
{{- define "agenticai.pod.head" -}}
serviceAccountName: {{ .account }}
automountServiceAccountToken: {{ .token | default false }}
enableServiceLinks: false
{{- with .root.Values.global.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ if kindIs "map" . }}{{ .name }}{{ else }}{{ . }}{{ end }}
  {{- end }}
{{- end }}
{{- with .values.priorityClassName | default (include "agenticai.priorityClass" .) }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  {{- toYaml .values.podSecurityContext | nindent 2 }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* agenticai.priorityClass (dict "root" $ "values" map): the class that the chart makes for this kind of pod, if it does. */}}
{{- define "agenticai.priorityClass" -}}
{{- if and .root.Values.priorityClasses.create .values.priority -}}
{{- printf "%s-%s" (include "agenticai.clusterwide.name" .root) .values.priority }}
{{- end -}}
{{- end }}

{{/*
agenticai.pod.spread (dict "root" $ "component" "api" "values" .Values.api): pods of one component apart from each other:
over zones where the cluster has them, and on nodes of their own where it can. `affinity` and `topologySpreadConstraints`
of the component replace the chart's own.
*/}}
{{- define "agenticai.pod.spread" -}}
{{- $selector := include "agenticai.selector" . -}}
{{- if .values.affinity }}
affinity:
  {{- toYaml .values.affinity | nindent 2 }}
{{- else if eq .values.podAntiAffinity "soft" }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- $selector | nindent 14 }}
{{- else if eq .values.podAntiAffinity "hard" }}
affinity:
  podAntiAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- $selector | nindent 12 }}
{{- end }}
{{- if .values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml .values.topologySpreadConstraints | nindent 2 }}
{{- else }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- $selector | nindent 8 }}
    {{- if .revisions }}
    matchLabelKeys: [pod-template-hash]
    {{- end }}
{{- end }}
{{- end }}

{{/*
agenticai.global.env $: what the surroundings demand of every program: a proxy, an authority of one's own. The bundle is
read beside the system's directory, so it need hold no public authorities.
*/}}
{{- define "agenticai.global.env" -}}
{{- with .Values.global.proxy }}
{{- if .http }}
- {name: HTTP_PROXY, value: {{ .http | quote }}}
- {name: http_proxy, value: {{ .http | quote }}}
{{- end }}
{{- if .https }}
- {name: HTTPS_PROXY, value: {{ .https | quote }}}
- {name: https_proxy, value: {{ .https | quote }}}
{{- end }}
{{- if or .http .https }}
{{- $no := printf "localhost,127.0.0.1,::1,.svc,.svc.%s,.cluster.local%s" $.Values.global.clusterDomain (ternary (printf ",%s" .noProxy) "" (not (empty .noProxy))) }}
- {name: NO_PROXY, value: {{ $no | quote }}}
- {name: no_proxy, value: {{ $no | quote }}}
{{- end }}
{{- end }}
{{- if include "agenticai.global.caBundle" . }}
- {name: SSL_CERT_FILE, value: /etc/agenticai-ca/{{ .Values.global.caBundle.key }}}
- {name: SSL_CERT_DIR, value: /etc/ssl/certs}
{{- end }}
{{- with .Values.global.region }}
- {name: REGION, value: {{ . | quote }}}
{{- end }}
{{- end }}

{{/* Not empty where there is a bundle of authorities. */}}
{{- define "agenticai.global.caBundle" -}}
{{- .Values.global.caBundle.configMap | default .Values.global.caBundle.secret }}
{{- end }}

{{- define "agenticai.global.volumeMounts" -}}
{{- if include "agenticai.global.caBundle" . }}
- {name: ca-bundle, mountPath: /etc/agenticai-ca, readOnly: true}
{{- end }}
{{- end }}

{{- define "agenticai.global.volumes" -}}
{{- with .Values.global.caBundle }}
{{- if .configMap }}
- name: ca-bundle
  configMap:
    name: {{ .configMap }}
    items: [{key: {{ .key | quote }}, path: {{ .key | quote }}}]
{{- else if .secret }}
- name: ca-bundle
  secret:
    secretName: {{ .secret }}
    items: [{key: {{ .key | quote }}, path: {{ .key | quote }}}]
{{- end }}
{{- end }}
{{- end }}

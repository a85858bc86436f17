{{/*
Requests from outside. What controllers can do beyond Ingress and HTTPRoute (bounds, passwords) each of them has in a form of its
own; nothing here is a snippet of a controller's configuration.
*/}}

{{/* Not empty where something passes requests in. */}}
{{- define "agenticai.edge.enabled" -}}
{{- if or .Values.ingress.enabled .Values.gateway.enabled }}yes{{ end -}}
{{- end }}

{{/* agenticai.edge.auth $: the means by which the monitoring route asks for a password. */}}
{{- define "agenticai.edge.auth" -}}
{{- .Values.monitoringRoute.auth.provider | default .Values.rateLimit.provider }}
{{- end }}

{{/* agenticai.edge.tlsSecret (dict "root" $ "component" "monitoring" "name" NAME): where its certificate is, if not in NAME. */}}
{{- define "agenticai.edge.tlsSecret" -}}
{{- .name | default (printf "%s-tls" (include "agenticai.component.name" .)) }}
{{- end }}

{{/* agenticai.edge.issuer $: the annotation by which cert-manager fills the Secret of a certificate. */}}
{{- define "agenticai.edge.issuer" -}}
{{- if .Values.certManager.createIssuer }}
cert-manager.io/issuer: {{ include "agenticai.component.name" (dict "root" . "component" "acme") }}
{{- else if .Values.certManager.clusterIssuer }}
cert-manager.io/cluster-issuer: {{ .Values.certManager.clusterIssuer }}
{{- end }}
{{- end }}

{{/*
agenticai.edge.streams: events are sent as they come and a stream says something every 15 seconds. Nothing may be gathered on the
way, and a silence of minutes is no fault. Traefik does so by itself; controllers pass over annotations that are not theirs.
*/}}
{{- define "agenticai.edge.streams" -}}
haproxy.org/timeout-server: 1h
nginx.ingress.kubernetes.io/proxy-buffering: "off"
nginx.ingress.kubernetes.io/proxy-read-timeout: "3600"
nginx.ingress.kubernetes.io/proxy-body-size: {{ .Values.config.server.maxBodyBytes | int64 | quote }}
nginx.org/proxy-buffering: "false"
nginx.org/proxy-read-timeout: 3600s
nginx.org/client-max-body-size: {{ .Values.config.server.maxBodyBytes | int64 | quote }}
{{- end }}

{{/* agenticai.edge.rateLimit $: annotations of the API's Ingress that bound the requests of one address. */}}
{{- define "agenticai.edge.rateLimit" -}}
{{- $limit := .Values.rateLimit -}}
{{- if eq $limit.provider "traefik" -}}
traefik.ingress.kubernetes.io/router.middlewares: {{ .Release.Namespace }}-{{ include "agenticai.component.name" (dict "root" . "component" "rate-limit") }}@kubernetescrd
{{- else if eq $limit.provider "haproxy" -}}
haproxy.org/rate-limit-requests: {{ $limit.requestsPerMinute | quote }}
haproxy.org/rate-limit-period: 1m
haproxy.org/rate-limit-status-code: "429"
{{- else if eq $limit.provider "nginx-annotations" -}}
nginx.ingress.kubernetes.io/limit-rpm: {{ $limit.requestsPerMinute | quote }}
nginx.ingress.kubernetes.io/limit-burst-multiplier: "1"
nginx.org/limit-req-rate: {{ $limit.requestsPerMinute }}r/m
nginx.org/limit-req-key: ${binary_remote_addr}
nginx.org/limit-req-zone-size: 10M
nginx.org/limit-req-burst: {{ $limit.burst | quote }}
nginx.org/limit-req-no-delay: "true"
nginx.org/limit-req-reject-code: "429"
{{- end }}
{{- end }}

{{/* agenticai.edge.password $: annotations of the monitoring route's Ingress that ask for a password. */}}
{{- define "agenticai.edge.password" -}}
{{- $secret := .Values.monitoringRoute.auth.existingSecret -}}
{{- $provider := include "agenticai.edge.auth" . -}}
{{- if eq $provider "traefik" -}}
traefik.ingress.kubernetes.io/router.middlewares: {{ .Release.Namespace }}-{{ include "agenticai.component.name" (dict "root" . "component" "monitoring-auth") }}@kubernetescrd
{{- else if eq $provider "haproxy" -}}
haproxy.org/auth-type: basic-auth
haproxy.org/auth-secret: {{ $secret }}
{{- else if eq $provider "nginx-annotations" -}}
nginx.ingress.kubernetes.io/auth-type: basic
nginx.ingress.kubernetes.io/auth-secret: {{ $secret }}
nginx.org/basic-auth-secret: {{ $secret }}
{{- end }}
{{- end }}

{{/*
agenticai.edge.ingress (dict "root" $ "component" "api" "hostnames" list "tls" bool "secret" NAME "own" map "service" NAME
"port" PORT "path" PATH)
*/}}
{{- define "agenticai.edge.ingress" -}}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  {{- include "agenticai.metadata" . | nindent 2 }}
spec:
  ingressClassName: {{ .root.Values.ingress.className }}
  {{- if .tls }}
  tls:
    - hosts:
        {{- toYaml .hostnames | nindent 8 }}
      secretName: {{ .secret }}
  {{- end }}
  rules:
    {{- range .hostnames }}
    - host: {{ . | quote }}
      http:
        paths:
          - path: {{ $.path }}
            pathType: Prefix
            backend:
              service:
                name: {{ $.service }}
                port: {name: {{ $.port }}}
    {{- end }}
{{- end }}

{{/* agenticai.edge.hostnames $: of all listeners for TLS of the chart's own Gateway, as JSON. */}}
{{- define "agenticai.edge.hostnames" -}}
{{- $hostnames := .Values.gateway.hostnames -}}
{{- if .Values.monitoringRoute.enabled }}{{ $hostnames = append $hostnames .Values.monitoringRoute.hostname }}{{ end -}}
{{- $hostnames | uniq | toJson -}}
{{- end }}

{{/*
agenticai.edge.parents (dict "root" $ "hostnames" list): the gateways of an HTTPRoute; of the chart's own Gateway the listeners for
TLS of these hosts, since the one on port 80 only sends on.
*/}}
{{- define "agenticai.edge.parents" -}}
{{- if .root.Values.gateway.create.enabled -}}
{{- range $i, $hostname := include "agenticai.edge.hostnames" .root | fromJsonArray }}
{{- if has $hostname $.hostnames }}
- {name: {{ include "agenticai.fullname" $.root }}, sectionName: {{ printf "https-%d" $i }}}
{{- end }}
{{- end }}
{{- else -}}
{{- toYaml .root.Values.gateway.parentRefs }}
{{- end -}}
{{- end }}

{{/*
agenticai.edge.route (dict "root" $ "component" "api" "hostnames" list "own" map "filter" NAME "service" NAME "port" PORT "path"
PATH): an HTTPRoute; `filter` names a Middleware of Traefik, if any. A request may take as long as it takes: streams do.
*/}}
{{- define "agenticai.edge.route" -}}
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  {{- include "agenticai.metadata" . | nindent 2 }}
spec:
  parentRefs:
    {{- include "agenticai.edge.parents" . | trim | nindent 4 }}
  hostnames:
    {{- toYaml .hostnames | nindent 4 }}
  rules:
    - matches:
        - path: {type: PathPrefix, value: {{ .path }}}
      {{- with .filter }}
      filters:
        - type: ExtensionRef
          extensionRef: {group: traefik.io, kind: Middleware, name: {{ . }}}
      {{- end }}
      timeouts: {request: 0s}
      backendRefs:
        - {name: {{ .service }}, port: {{ .port }}}
{{- end }}

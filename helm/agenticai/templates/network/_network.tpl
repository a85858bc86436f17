{{/*
Pieces of NetworkPolicies. Rules name pods by component, so that a rule and its counterpart at the other end are written alike;
who is in no rule is denied. docs/kubernetes/network.md has all flows in one table, which a test holds against these policies.
*/}}

{{/*
agenticai.network.pods (dict "root" $ "component" "postgresql"): the labels of a component's pods. Pods that an operator makes
carry the operator's labels.
*/}}
{{- define "agenticai.network.pods" -}}
{{- if and (eq .component "postgresql") (eq .root.Values.postgresql.mode "cnpg") -}}
cnpg.io/cluster: {{ include "agenticai.component.name" . }}
{{- else if and (eq .component "rabbitmq") (eq .root.Values.rabbitmq.mode "operator") -}}
app.kubernetes.io/name: {{ include "agenticai.component.name" . }}
app.kubernetes.io/component: rabbitmq
{{- else -}}
{{ include "agenticai.selector" . }}
{{- end -}}
{{- end }}

{{/*
agenticai.network.ports (dict "root" $ "ports" (list 5432) ["udp" bool]): ports of flows between pods. In Istio's ambient mode the
mesh carries such a flow to port 15008 of the same pod.
*/}}
{{- define "agenticai.network.ports" -}}
{{- range .ports | uniq }}
- {protocol: TCP, port: {{ . }}}
{{- end }}
{{- if .root.Values.networkPolicy.ambient }}
- {protocol: TCP, port: 15008}
{{- end }}
{{- end }}

{{/* agenticai.network.flow (dict "root" $ "way" "from" "components" (list "api") "ports" (list 5432)): pods of this release. */}}
{{- define "agenticai.network.flow" -}}
- {{ .way }}:
    {{- range .components }}
    - podSelector:
        matchLabels:
          {{- include "agenticai.network.pods" (dict "root" $.root "component" .) | nindent 10 }}
    {{- end }}
  ports:
    {{- include "agenticai.network.ports" . | nindent 4 }}
{{- end }}

{{/* agenticai.network.namespaces (dict "root" $ "way" "from" "rule" map "ports" list): pods of other namespaces: `peers`, else `namespaces`. */}}
{{- define "agenticai.network.namespaces" -}}
{{- if or .rule.peers .rule.namespaces }}
- {{ .way }}:
    {{- if .rule.peers }}
    {{- toYaml .rule.peers | nindent 4 }}
    {{- else }}
    - namespaceSelector:
        matchExpressions:
          - key: kubernetes.io/metadata.name
            operator: In
            values:
              {{- toYaml .rule.namespaces | nindent 14 }}
    {{- end }}
  ports:
    {{- include "agenticai.network.ports" . | nindent 4 }}
{{- end }}
{{- end }}

{{/* agenticai.network.servers (dict "cidrs" list "ports" list): servers outside, where nothing is known of them but addresses, if that. */}}
{{- define "agenticai.network.servers" -}}
- ports:
    {{- range .ports | uniq }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
  {{- with .cidrs }}
  to:
    {{- range . }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- end }}
  {{- end }}
{{- end }}

{{/* agenticai.network.dns $: names are asked for over UDP, and over TCP where an answer is long. */}}
{{- define "agenticai.network.dns" -}}
{{- $dns := .Values.networkPolicy.dns -}}
- to:
    - namespaceSelector:
        matchExpressions:
          - key: kubernetes.io/metadata.name
            operator: In
            values:
              {{- toYaml $dns.namespaces | nindent 14 }}
    {{- range $dns.cidrs }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- end }}
  ports:
    {{- range $dns.ports }}
    - {protocol: UDP, port: {{ . }}}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
{{- end }}

{{/*
agenticai.network.urlPorts (dict "url" "redis://a,b:6380" "default" 6379): the ports that an address with one or several hosts
names, as JSON.
*/}}
{{- define "agenticai.network.urlPorts" -}}
{{- $ports := list -}}
{{- range $host := splitList "," .url -}}
{{- $host = regexReplaceAll "^[a-z]+://" (trim $host) "" | regexFind "^[^/?]*" | regexFind "[^@]*$" -}}
{{- $port := regexFind ":[0-9]+$" $host | trimPrefix ":" -}}
{{- $ports = append $ports ($port | default $.default | int) -}}
{{- end -}}
{{- $ports | uniq | toJson -}}
{{- end }}

{{/* agenticai.network.toPostgresql $, toRedis $, toRabbitmq $: the ways to the servers of this mode. */}}
{{- define "agenticai.network.toPostgresql" -}}
{{- with .Values.postgresql -}}
{{- if eq .mode "external" -}}
{{ include "agenticai.network.servers" (dict "cidrs" .external.cidrs "ports" (list (int .external.port))) }}
{{- else -}}
{{ include "agenticai.network.flow" (dict "root" $ "way" "to" "components" (list "postgresql") "ports" (list 5432)) }}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "agenticai.network.toRedis" -}}
{{- with .Values.redis -}}
{{- if eq .mode "external" -}}
{{- $default := ternary 26379 6379 (not (empty .external.sentinelGroup)) -}}
{{- $ports := include "agenticai.network.urlPorts" (dict "url" .external.url "default" $default) | fromJsonArray -}}
{{- /* Sentinels only say where the master is. */ -}}
{{- if .external.sentinelGroup }}{{ $ports = append $ports 6379 }}{{ end -}}
{{ include "agenticai.network.servers" (dict "cidrs" .external.cidrs "ports" $ports) }}
{{- else if ne .mode "none" -}}
{{ include "agenticai.network.flow" (dict "root" $ "way" "to" "components" (list "redis") "ports" (ternary (list 6379 26379) (list 6379) (eq .mode "sentinel"))) }}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "agenticai.network.toRabbitmq" -}}
{{- with .Values.rabbitmq -}}
{{- if eq .mode "external" -}}
{{- $default := ternary 5671 5672 (hasPrefix "amqps" .external.url) -}}
{{ include "agenticai.network.servers" (dict "cidrs" .external.cidrs "ports" (include "agenticai.network.urlPorts" (dict "url" .external.url "default" $default) | fromJsonArray)) }}
{{- else if ne .mode "none" -}}
{{ include "agenticai.network.flow" (dict "root" $ "way" "to" "components" (list "rabbitmq") "ports" (list 5672)) }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* agenticai.network.toCollector $: where telemetry goes to by OTLP, if anywhere. */}}
{{- define "agenticai.network.toCollector" -}}
{{- with .Values.otelCollector -}}
{{- if eq .mode "bundled" -}}
{{ include "agenticai.network.flow" (dict "root" $ "way" "to" "components" (list "otel-collector") "ports" (list 4317 4318)) }}
{{- else if eq .mode "external" -}}
{{ include "agenticai.network.servers" (dict "cidrs" .external.cidrs "ports" (include "agenticai.network.urlPorts" (dict "url" .external.endpoint "default" 4317) | fromJsonArray)) }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* agenticai.network.toApiServer $: for the pods of operators, which speak to it; none of the chart's own does. */}}
{{- define "agenticai.network.toApiServer" -}}
{{ include "agenticai.network.servers" .Values.networkPolicy.apiServer }}
{{- end }}

{{/*
agenticai.network.outside $: models and tools. Through a proxy where there is one; else every public address, on the ports of
`outside`, and what `config.egress.allow` names: its networks whole, its hosts by their port.
*/}}
{{- define "agenticai.network.outside" -}}
{{- $outside := .Values.networkPolicy.outside -}}
{{- $networks := list -}}
{{- $ports := $outside.ports -}}
{{- range .Values.config.egress.allow -}}
{{- if regexMatch "^[0-9a-fA-F.:]+/[0-9]+$" . }}{{ $networks = append $networks . }}
{{- else if regexMatch ":[0-9]+$" . }}{{ $ports = append $ports (regexFind "[0-9]+$" . | int) }}{{ end -}}
{{- end -}}
{{- $proxies := list -}}
{{- range $address := list .Values.global.proxy.http .Values.global.proxy.https -}}
{{- if $address }}{{ $proxies = concat $proxies (include "agenticai.network.urlPorts" (dict "url" $address "default" (ternary 443 80 (hasPrefix "https" $address))) | fromJsonArray) }}{{ end -}}
{{- end -}}
{{- if $proxies -}}
{{ include "agenticai.network.servers" (dict "cidrs" .Values.networkPolicy.proxy.cidrs "ports" $proxies) }}
{{- else if $ports -}}
- to:
    {{- range $cidr := $outside.cidrs }}
    {{- $except := list }}
    {{- /* An exception has to lie within its block, so that narrower blocks take none. */}}
    {{- range $outside.except }}
    {{- if eq $cidr (ternary "::/0" "0.0.0.0/0" (contains ":" .)) }}{{ $except = append $except . }}{{ end }}
    {{- end }}
    - ipBlock:
        cidr: {{ $cidr | quote }}
        {{- with $except }}
        except:
          {{- toYaml . | nindent 10 }}
        {{- end }}
    {{- end }}
  ports:
    {{- range $ports | uniq }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
{{- end }}
{{- with $networks }}
- to:
    {{- range . }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- end }}
  ports:
    - {protocol: TCP}
{{- end }}
{{- end }}

{{/*
agenticai.network.policy (dict "root" $ "component" "api" "ingress" list "egress" list): the policy of a component. The lists
hold rules as text; empty ones are left out, and a way without any rule altogether: an empty list is not stored, so that every
server-side apply would set it anew. `networkPolicy.extra` adds to them.
*/}}
{{- define "agenticai.network.policy" -}}
{{- $extra := index .root.Values.networkPolicy.extra .component | default dict -}}
{{- $ways := dict "ingress" (concat .ingress (list (include "agenticai.network.probes" .root))) "egress" .egress -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "agenticai.metadata" . | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "agenticai.network.pods" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  {{- range $way := list "ingress" "egress" }}
  {{- $rules := list }}
  {{- range index $ways $way }}
  {{- with trim . }}{{ $rules = append $rules . }}{{ end }}
  {{- end }}
  {{- with index $extra $way }}{{ $rules = append $rules (toYaml .) }}{{ end }}
  {{- if $rules }}
  {{ $way }}:
    {{- join "\n" $rules | nindent 4 }}
  {{- end }}
  {{- end }}
{{- end }}

{{/*
agenticai.network.probes $: the kubelet's probes need no rule, except in Istio's ambient mode, where they arrive from this
address, which no other sender can have.
*/}}
{{- define "agenticai.network.probes" -}}
{{- if .Values.networkPolicy.ambient -}}
- from:
    - ipBlock: {cidr: 169.254.7.127/32}
    - ipBlock: {cidr: "fd16:9254:7127:1337:ffff:ffff:ffff:ffff/128"}
{{- end -}}
{{- end }}

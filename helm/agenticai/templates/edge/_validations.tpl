{{- define "agenticai.validations.edge" -}}
{{- $edge := include "agenticai.edge.enabled" . -}}
{{- $provider := .Values.rateLimit.provider -}}
{{- if and .Values.ingress.enabled .Values.gateway.enabled }}
ingress.enabled and gateway.enabled are both true, and the bounds on requests belong to one of them: switch one off.
{{- end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.className) }}
ingress.className is empty, so that any controller or none may take the Ingress: name one (`kubectl get ingressclass`).
{{- end }}
{{- range $way := list "ingress" "gateway" }}
{{- if and (index $.Values $way).enabled (not (index $.Values $way).hostnames) }}
{{ $way }}.enabled is true, and {{ $way }}.hostnames is empty: name the host under which the API is reached.
{{- end }}
{{- end }}
{{- if and .Values.gateway.enabled (not .Values.gateway.create.enabled) (not .Values.gateway.parentRefs) }}
gateway.enabled is true, and no Gateway takes the route: name one in gateway.parentRefs, or set gateway.create.enabled=true.
{{- end }}
{{- if and .Values.gateway.enabled .Values.gateway.create.enabled .Values.gateway.parentRefs }}
gateway.create.enabled makes a Gateway, and gateway.parentRefs names others: leave one of them out.
{{- end }}
{{- if and .Values.ingress.enabled (eq $provider "envoy-gateway") }}
rateLimit.provider is envoy-gateway, which bounds HTTPRoutes, and the API has an Ingress: set gateway.enabled instead, or choose the provider of ingress.className.
{{- end }}
{{- if and .Values.gateway.enabled (has $provider (list "haproxy" "nginx-annotations")) }}
rateLimit.provider is {{ $provider }}, which reads annotations of Ingresses, and the API has an HTTPRoute: choose traefik or envoy-gateway, or none if the Gateway bounds requests by itself.
{{- end }}
{{- range $name := list "traefik" "haproxy" "nginx" }}
{{- if and $.Values.ingress.enabled (contains $name $.Values.ingress.className) (not (hasPrefix $name $provider)) (ne $provider "none") }}
ingress.className is {{ $.Values.ingress.className }}, and rateLimit.provider is {{ $provider }}, which that controller does not read: nobody would bound requests. Choose the provider of that controller, or none.
{{- end }}
{{- end }}
{{- if and $edge (gt (int .Values.rateLimit.forwardedDepth) 0) (not (has $provider (list "traefik" "none"))) }}
rateLimit.forwardedDepth is read by Traefik alone: for {{ $provider }} say in the controller itself which proxies it trusts, and set forwardedDepth=0.
{{- end }}
{{- $routers := get .Values.ingress.annotations "traefik.ingress.kubernetes.io/router.middlewares" -}}
{{- if and .Values.ingress.enabled (eq $provider "traefik") $routers }}
ingress.annotations names middlewares of its own ({{ $routers }}), which would take the place of the bound on requests: set rateLimit.provider=none and name a rate limit among them.
{{- end }}
{{- if and .Values.certManager.createIssuer .Values.certManager.clusterIssuer }}
certManager.createIssuer and certManager.clusterIssuer are both set: leave one of them out.
{{- end }}
{{- if and .Values.certManager.createIssuer (not .Values.certManager.acme.email) }}
certManager.createIssuer is true, and certManager.acme.email is empty: Let's Encrypt wants an address of somebody who looks after certificates.
{{- end }}
{{- if and .Values.certManager.createIssuer (not $edge) }}
certManager.createIssuer is true, and nothing passes Let's Encrypt's question in: set ingress.enabled or gateway.enabled.
{{- end }}
{{- $certified := or .Values.certManager.createIssuer .Values.certManager.clusterIssuer -}}
{{- if and .Values.ingress.enabled .Values.ingress.tls.enabled (not $certified) (not .Values.ingress.tls.secretName) }}
ingress.tls.enabled is true, and nobody makes the certificate: set certManager.clusterIssuer or certManager.createIssuer, or name its Secret in ingress.tls.secretName.
{{- end }}
{{- if and .Values.gateway.enabled .Values.gateway.create.enabled (not $certified) (not .Values.gateway.create.secretName) }}
gateway.create.enabled is true, and nobody makes the certificate: set certManager.clusterIssuer or certManager.createIssuer, or name its Secret in gateway.create.secretName.
{{- end }}
{{- include "agenticai.validations.monitoringRoute" . }}
{{- end }}

{{- define "agenticai.validations.monitoringRoute" -}}
{{- $route := .Values.monitoringRoute -}}
{{- if $route.enabled }}
{{- $provider := include "agenticai.edge.auth" . -}}
{{- if not (include "agenticai.edge.enabled" .) }}
monitoringRoute.enabled is true, and nothing passes requests in: set ingress.enabled or gateway.enabled.
{{- end }}
{{- if ne .Values.jaeger.mode "bundled" }}
monitoringRoute.enabled is true, and jaeger.mode is {{ .Values.jaeger.mode }}: the route leads to the bundled Jaeger. Switch it off.
{{- end }}
{{- if not $route.hostname }}
monitoringRoute.enabled is true, and monitoringRoute.hostname is empty: name its host.
{{- end }}
{{- if not $route.auth.existingSecret }}
monitoringRoute.enabled is true without a password: make a Secret of users with htpasswd, and name it in monitoringRoute.auth.existingSecret. Traces hold what was asked of models; the route is not made without.
{{- end }}
{{- if eq $provider "none" }}
monitoringRoute.enabled is true, and nothing says who asks for the password: set monitoringRoute.auth.provider.
{{- end }}
{{- if and .Values.ingress.enabled (eq $provider "envoy-gateway") }}
monitoringRoute.auth.provider is envoy-gateway, which guards HTTPRoutes, and the route is an Ingress: nobody would ask for the password. Choose the provider of ingress.className.
{{- end }}
{{- if and .Values.gateway.enabled (has $provider (list "haproxy" "nginx-annotations")) }}
monitoringRoute.auth.provider is {{ $provider }}, which reads annotations of Ingresses, and the route is an HTTPRoute: nobody would ask for the password. Choose traefik or envoy-gateway.
{{- end }}
{{- range $name := list "traefik" "haproxy" "nginx" }}
{{- if and $.Values.ingress.enabled (contains $name $.Values.ingress.className) (not (hasPrefix $name $provider)) (ne $provider "none") }}
ingress.className is {{ $.Values.ingress.className }}, and monitoringRoute.auth.provider is {{ $provider }}, which that controller does not read: nobody would ask for the password. Choose the provider of that controller.
{{- end }}
{{- end }}
{{- range $key, $value := $route.annotations }}
{{- if or (eq $key "traefik.ingress.kubernetes.io/router.middlewares") (regexMatch "/(auth-|basic-auth)" $key) }}
monitoringRoute.annotations sets {{ $key }}, which would take the place of the password: leave it out.
{{- end }}
{{- end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.tls.enabled) }}
monitoringRoute.enabled is true, and ingress.tls.enabled is false: the password would be sent as it is. Set ingress.tls.enabled=true.
{{- end }}
{{- if and .Values.ingress.enabled .Values.ingress.tls.enabled (not .Values.certManager.createIssuer) (not .Values.certManager.clusterIssuer) (not $route.tlsSecretName) }}
monitoringRoute.enabled is true, and nobody makes its certificate: set certManager.clusterIssuer, or name its Secret in monitoringRoute.tlsSecretName.
{{- end }}
{{- $hostnames := ternary .Values.ingress.hostnames .Values.gateway.hostnames .Values.ingress.enabled -}}
{{- if has $route.hostname $hostnames }}
monitoringRoute.hostname ({{ $route.hostname }}) is the API's: give it one of its own, so that no page of one reads what belongs to the other.
{{- end }}
{{- end }}
{{- end }}

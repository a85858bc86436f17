{{- define "agenticai.validations.observability" -}}
{{- range $component := list "otelCollector" "jaeger" }}
{{- $values := index $.Values $component }}
{{- if and (eq $values.mode "external") (not $values.external.endpoint) }}
{{ $component }}.mode is external, and {{ $component }}.external.endpoint is empty: set it to host:port, or choose {{ $component }}.mode=disabled.
{{- end }}
{{- if and (eq $values.mode "external") (contains "/" $values.external.endpoint) }}
{{ $component }}.external.endpoint is {{ $values.external.endpoint }}: write host:port alone, as OTLP by gRPC wants it.
{{- end }}
{{- if and (eq $values.mode "bundled") (eq ($values.image.tag | toString) "latest") }}
{{ $component }}.image.tag is latest, which means another program tomorrow: name a version, or a digest in {{ $component }}.image.digest.
{{- end }}
{{- end }}
{{- if and (eq .Values.jaeger.mode "bundled") (eq .Values.jaeger.storage.type "memory") .Values.jaeger.persistence.existingClaim }}
jaeger.persistence.existingClaim is set, and jaeger.storage.type is memory: set jaeger.storage.type=badger to use it.
{{- end }}
{{- $loki := .Values.otelCollector.loki.endpoint -}}
{{- if and $loki (not (hasSuffix "/otlp" $loki)) }}
otelCollector.loki.endpoint is {{ $loki }}: Loki takes OTLP below /otlp, so end it with that.
{{- end }}
{{- end }}

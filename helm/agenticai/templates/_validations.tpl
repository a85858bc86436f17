{{/*
Combinations that cannot work, refused before anything is made, each with a sentence that says what to do. All of them are
told at once. One `define` for each subject; a subject's lines are empty where all is well.
*/}}

{{- define "agenticai.validations" -}}
{{- $wrong := list -}}
{{- range $subject := list "connections" "scaling" "storage" "secrets" "images" -}}
{{- range $line := include (printf "agenticai.validations.%s" $subject) $ | splitList "\n" -}}
{{- if trim $line }}{{ $wrong = append $wrong (trim $line) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- if $wrong -}}
{{- fail (printf "\n\nThese values cannot work:\n\n  - %s\n" (join "\n  - " $wrong)) -}}
{{- end -}}
{{- end }}

{{- define "agenticai.validations.connections" -}}
{{- if and (eq .Values.postgresql.mode "external") (not .Values.postgresql.external.host) }}
postgresql.mode is external, and postgresql.external.host names no server: set it, or choose postgresql.mode=statefulset.
{{- end }}
{{- if and (eq .Values.postgresql.mode "external") (not .Values.postgresql.auth.existingSecret) (not .Values.postgresql.auth.password) }}
postgresql.mode is external, and the chart does not know its password: put it into a Secret and name that in postgresql.auth.existingSecret.
{{- end }}
{{- if and (eq .Values.redis.mode "external") (not .Values.redis.external.url) }}
redis.mode is external, and redis.external.url is empty: set it, or choose redis.mode=none (streams are then read from the journal).
{{- end }}
{{- if regexMatch "://[^/]*:[^/]*@" .Values.redis.external.url }}
redis.external.url holds a password, which would stand in a ConfigMap: put it into a Secret and name that in redis.auth.existingSecret.
{{- end }}
{{- if and (eq .Values.redis.mode "external") .Values.redis.external.authenticated (not .Values.redis.auth.existingSecret) (not .Values.redis.auth.password) }}
redis.external.authenticated is true, and the chart does not know the password: name its Secret in redis.auth.existingSecret, or set redis.external.authenticated=false.
{{- end }}
{{- if and (eq .Values.rabbitmq.mode "external") (not .Values.rabbitmq.external.url) }}
rabbitmq.mode is external, and rabbitmq.external.url is empty: set it, or choose rabbitmq.mode=none (hints then go through the database).
{{- end }}
{{- if regexMatch "://[^/]*:[^/]*@" .Values.rabbitmq.external.url }}
rabbitmq.external.url holds a password, which would stand in a ConfigMap: put it into a Secret and name that in rabbitmq.auth.existingSecret.
{{- end }}
{{- if and (eq .Values.rabbitmq.mode "external") (not .Values.rabbitmq.auth.existingSecret) (not .Values.rabbitmq.auth.password) }}
rabbitmq.mode is external, and the chart does not know its password: put it into a Secret and name that in rabbitmq.auth.existingSecret.
{{- end }}
{{- if and .Values.global.caBundle.configMap .Values.global.caBundle.secret }}
global.caBundle names a ConfigMap and a Secret: leave one of them empty.
{{- end }}
{{- if eq (int .Values.config.server.port) (int .Values.config.cluster.adminPort) }}
config.server.port and config.cluster.adminPort are both {{ .Values.config.server.port }}: give one of them another number.
{{- end }}
{{- end }}

{{- define "agenticai.validations.scaling" -}}
{{- range $component := list "api" "worker" }}
{{- $values := index $.Values $component }}
{{- with $values.autoscaling }}
{{- if and .enabled (gt (int .minReplicas) (int .maxReplicas)) }}
{{ $component }}.autoscaling.minReplicas ({{ .minReplicas }}) is above maxReplicas ({{ .maxReplicas }}): raise the one or lower the other.
{{- end }}
{{- if and .enabled (or (lt (int $values.replicaCount) (int .minReplicas)) (gt (int $values.replicaCount) (int .maxReplicas))) }}
{{ $component }}.replicaCount ({{ $values.replicaCount }}) is not between autoscaling.minReplicas ({{ .minReplicas }}) and maxReplicas ({{ .maxReplicas }}): choose one that is, or set {{ $component }}.autoscaling.enabled=false.
{{- end }}
{{- if and .enabled (not .targetCPU) (not .targetMemory) (ne (.owner | default "hpa") "keda") (not (dig "external" "enabled" false .)) }}
{{ $component }}.autoscaling is enabled without anything to go by: set targetCPU, targetMemory or external metrics.
{{- end }}
{{- if and .enabled .targetCPU (not (dig "requests" "cpu" "" $values.resources)) }}
{{ $component }}.autoscaling.targetCPU is a share of the request, and {{ $component }}.resources.requests.cpu is empty: set it.
{{- end }}
{{- if and .enabled .targetMemory (not (dig "requests" "memory" "" $values.resources)) }}
{{ $component }}.autoscaling.targetMemory is a share of the request, and {{ $component }}.resources.requests.memory is empty: set it.
{{- end }}
{{- if and .external .external.enabled (eq .owner "keda") }}
worker.autoscaling.external.enabled belongs to owner=hpa, and owner is keda: switch one off. A Deployment has one autoscaler.
{{- end }}
{{- end }}
{{- with $values.terminationGracePeriodSeconds }}
{{- $least := include "agenticai.app.grace" (dict "root" $ "component" $component "values" (dict "terminationGracePeriodSeconds" nil)) | int }}
{{- if lt (int .) $least }}
{{ $component }}.terminationGracePeriodSeconds ({{ . }}) is shorter than stopping may take ({{ $least }} s with config.cluster.preStopSeconds, config.worker.drainSeconds and, for workers, config.worker.maxOnceTimeoutSeconds): raise it, or leave it empty.
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "agenticai.validations.storage" -}}
{{- if and (eq .Values.objectStore.mode "database") .Values.objectStore.filesystem.existingClaim }}
objectStore.filesystem.existingClaim is set, and objectStore.mode is database: set objectStore.mode=filesystem to use it.
{{- end }}
{{- end }}

{{- define "agenticai.validations.secrets" -}}
{{- if and (not .Values.secrets.generate) (not .Values.secrets.signing.existingSecret) }}
secrets.generate is false, and nothing says where the keys that sign tokens are: name a Secret in secrets.signing.existingSecret.
{{- end }}
{{- if and .Values.secrets.llm.existingSecret .Values.secrets.llm.values }}
secrets.llm.existingSecret and secrets.llm.values are both set: move the values into that Secret, or leave its name empty.
{{- end }}
{{- range $component := list "postgresql" "redis" "rabbitmq" }}
{{- $auth := (index $.Values $component).auth }}
{{- if and (not $.Values.secrets.generate) (include "agenticai.validations.ownSecret" (dict "root" $ "component" $component)) (not $auth.existingSecret) (not $auth.password) }}
secrets.generate is false, and nothing says where the password of {{ $component }} is: name a Secret in {{ $component }}.auth.existingSecret.
{{- end }}
{{- if and $auth.existingSecret $auth.password }}
{{ $component }}.auth.existingSecret and {{ $component }}.auth.password are both set: leave the password empty.
{{- end }}
{{- end }}
{{- end }}

{{/* agenticai.validations.ownSecret (dict "root" $ "component" "redis"): not empty where the chart itself makes the server. */}}
{{- define "agenticai.validations.ownSecret" -}}
{{- if has (index .root.Values .component).mode (list "statefulset" "single" "sentinel" "cluster") }}yes{{ end -}}
{{- end }}

{{- define "agenticai.validations.images" -}}
{{- if eq (.Values.image.tag | toString) "latest" }}
image.tag is latest, which means another program tomorrow: name a version, or a digest in image.digest.
{{- end }}
{{- end }}

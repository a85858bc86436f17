{{/*
Combinations that cannot work, refused before anything is made, each with a sentence that says what to do. All of them are
told at once. One `define` for each subject; a subject's lines are empty where all is well.
*/}}

{{- define "agenticai.validations" -}}
{{- $wrong := list -}}
{{- range $subject := list "connections" "scaling" "storage" "state" "secrets" "images" "edge" "observability" -}}
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

{{- define "agenticai.validations.state" -}}
{{- range $name, $value := .Values.postgresql.settings }}
{{- if and (has $name (list "synchronous_commit" "fsync" "full_page_writes")) (has (lower (toString $value)) (list "off" "false" "no" "0")) }}
postgresql.settings.{{ $name }} is {{ $value }}: the server would confirm what it may lose, and the program refuses that. Leave the setting out.
{{- end }}
{{- if has $name (list "listen_addresses" "port" "unix_socket_directories" "hba_file" "config_file" "data_directory" "password_encryption" "wal_level" "hot_standby" "max_wal_senders" "primary_conninfo" "restore_command") }}
postgresql.settings.{{ $name }} is set by the chart itself: leave it out.
{{- end }}
{{- end }}
{{- with .Values.postgresql }}
{{- if and (eq .mode "statefulset") (gt (int .replicaCount) 3) }}
postgresql.replicaCount is {{ .replicaCount }}: postgresql.mode=statefulset makes three servers at most. Choose postgresql.mode=cnpg for more.
{{- end }}
{{- $pods := include "agenticai.postgresql.pods" (dict "root" $ "replicas" .replicaCount) | fromYamlArray }}
{{- if and (eq .mode "statefulset") .primary (not (has .primary $pods)) }}
postgresql.primary names {{ .primary }}, which is none of the pods: {{ join ", " $pods }}.
{{- end }}
{{- if and (ne .mode "statefulset") .primary }}
postgresql.primary belongs to postgresql.mode=statefulset, and the mode is {{ .mode }}: leave it empty.
{{- end }}
{{- if and (eq .mode "cnpg") .auth.password }}
postgresql.auth.password is set, and postgresql.mode is cnpg: the operator makes the password. To give your own, name a Secret with the keys username and password in postgresql.auth.existingSecret.
{{- end }}
{{- if and (eq .mode "cnpg") (ge (int .cnpg.synchronousReplicas) (int .cnpg.instances)) }}
postgresql.cnpg.synchronousReplicas ({{ .cnpg.synchronousReplicas }}) must be less than postgresql.cnpg.instances ({{ .cnpg.instances }}): no commit could ever be confirmed.
{{- end }}
{{- end }}
{{- with .Values.rabbitmq }}
{{- if and (eq .mode "statefulset") (le (int .terminationGracePeriodSeconds) (add (int .quorumWaitSeconds) 30 | int)) }}
rabbitmq.terminationGracePeriodSeconds ({{ .terminationGracePeriodSeconds }}) must be more than rabbitmq.quorumWaitSeconds ({{ .quorumWaitSeconds }}) and 30 s: raise it, or lower that.
{{- end }}
{{- if and (eq .mode "statefulset") (eq (mod (int .replicaCount) 2) 0) }}
rabbitmq.replicaCount is {{ .replicaCount }}: half of an even number is no majority. Choose 1, 3 or 5.
{{- end }}
{{- if and (has .mode (list "statefulset")) (not (dig "limits" "memory" "" .resources)) }}
rabbitmq.resources.limits.memory is empty, and RabbitMQ's watermark is a share of it: set it.
{{- end }}
{{- if and (eq .mode "operator") .auth.password }}
rabbitmq.auth.password is set, and rabbitmq.mode is operator: the operator makes the password. Leave it empty.
{{- end }}
{{- if and (eq .mode "operator") .auth.existingSecret }}
rabbitmq.auth.existingSecret is set, and rabbitmq.mode is operator: the operator makes the user's Secret itself. Leave it empty.
{{- end }}
{{- end }}
{{- if and .Values.chromadb.enabled (ne (int .Values.chromadb.replicaCount) 1) }}
chromadb.replicaCount is {{ .Values.chromadb.replicaCount }}: Chroma has one node, and several would each hold a part of the vectors. Set it to 1.
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

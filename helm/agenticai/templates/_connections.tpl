{{/*
How the program reaches its servers: addresses go into the ConfigMap, passwords stay in Secrets, which are mounted as files
so that they may be rotated without a restart. Whoever makes a server (statefulset, operator) says here what it is called.
*/}}

{{/* agenticai.postgresql.host $ */}}
{{- define "agenticai.postgresql.host" -}}
{{- if eq .Values.postgresql.mode "external" }}{{ .Values.postgresql.external.host }}
{{- else if eq .Values.postgresql.mode "cnpg" }}{{ include "agenticai.component.name" (dict "root" . "component" "postgresql") }}-rw
{{- else }}{{ include "agenticai.component.name" (dict "root" . "component" "postgresql") }}{{ end -}}
{{- end }}

{{/* agenticai.postgresql.url (dict "root" $ "host" HOST): an address without a password. */}}
{{- define "agenticai.postgresql.url" -}}
{{- $pg := .root.Values.postgresql -}}
{{- $hosts := list -}}
{{- $port := ternary $pg.external.port 5432 (eq $pg.mode "external") | int -}}
{{- range splitList "," .host }}{{ $hosts = append $hosts (printf "%s:%d" (trim .) $port) }}{{ end -}}
{{- $options := list -}}
{{- $ca := include "agenticai.postgresql.ca" .root | fromYaml -}}
{{- if eq $pg.mode "cnpg" }}{{ $options = append $options "sslmode=verify-full" }}{{ end -}}
{{- if eq $pg.mode "external" }}{{ $options = append $options (printf "sslmode=%s" $pg.external.sslMode) }}{{ end -}}
{{- if $ca.secret }}{{ $options = append $options (printf "sslrootcert=/etc/agenticai/postgresql-ca/%s" $ca.key) }}{{ end -}}
{{- if eq $pg.mode "external" -}}
{{- if $pg.external.targetSessionAttrs }}{{ $options = append $options (printf "target_session_attrs=%s" $pg.external.targetSessionAttrs) }}{{ end -}}
{{- end -}}
postgres://{{ $pg.username | urlquery }}@{{ join "," $hosts }}/{{ $pg.database | urlquery }}{{ with $options }}?{{ join "&" . }}{{ end }}
{{- end }}

{{/* agenticai.postgresql.ca $: the secret with the authority of the server's certificate, if it is not a public one. */}}
{{- define "agenticai.postgresql.ca" -}}
{{- if eq .Values.postgresql.mode "cnpg" -}}
secret: {{ include "agenticai.component.name" (dict "root" . "component" "postgresql") }}-ca
key: ca.crt
{{- else if eq .Values.postgresql.mode "external" -}}
secret: {{ .Values.postgresql.external.caSecret | quote }}
key: {{ .Values.postgresql.external.caKey | quote }}
{{- else -}}
secret: ""
{{- end -}}
{{- end }}

{{/* agenticai.postgresql.secret $: where the password of the program's user is. */}}
{{- define "agenticai.postgresql.secret" -}}
{{- if .Values.postgresql.auth.existingSecret }}{{ .Values.postgresql.auth.existingSecret }}
{{- else if eq .Values.postgresql.mode "cnpg" }}{{ include "agenticai.component.name" (dict "root" . "component" "postgresql") }}-app
{{- else }}{{ include "agenticai.component.name" (dict "root" . "component" "postgresql") }}{{ end -}}
{{- end }}

{{/* agenticai.redis.url $: empty where there is none. */}}
{{- define "agenticai.redis.url" -}}
{{- $name := include "agenticai.component.name" (dict "root" . "component" "redis") -}}
{{- if eq .Values.redis.mode "external" }}{{ .Values.redis.external.url }}
{{- else if eq .Values.redis.mode "single" }}redis://{{ $name }}:6379
{{- else if eq .Values.redis.mode "sentinel" -}}
redis://{{ range $i := until 3 }}{{ if $i }},{{ end }}{{ $name }}-{{ $i }}.{{ $name }}-headless:26379{{ end }}
{{- else if eq .Values.redis.mode "cluster" -}}
redis://{{ range $i := until 6 }}{{ if $i }},{{ end }}{{ $name }}-{{ $i }}.{{ $name }}-headless:6379{{ end }}
{{- end -}}
{{- end }}

{{/* Not empty where a password is sent to Redis. */}}
{{- define "agenticai.redis.authenticated" -}}
{{- if eq .Values.redis.mode "external" }}{{ if .Values.redis.external.authenticated }}yes{{ end }}
{{- else if ne .Values.redis.mode "none" }}yes{{ end -}}
{{- end }}

{{/* agenticai.rabbitmq.url $: empty where there is none. */}}
{{- define "agenticai.rabbitmq.url" -}}
{{- $name := include "agenticai.component.name" (dict "root" . "component" "rabbitmq") -}}
{{- if eq .Values.rabbitmq.mode "external" }}{{ .Values.rabbitmq.external.url }}
{{- else if ne .Values.rabbitmq.mode "none" }}amqp://{{ .Values.rabbitmq.auth.username | urlquery }}@{{ $name }}:5672/%2F{{ end -}}
{{- end }}

{{/* agenticai.rabbitmq.secret $: the operator makes one of its own. */}}
{{- define "agenticai.rabbitmq.secret" -}}
{{- if .Values.rabbitmq.auth.existingSecret }}{{ .Values.rabbitmq.auth.existingSecret }}
{{- else if eq .Values.rabbitmq.mode "operator" }}{{ include "agenticai.component.name" (dict "root" . "component" "rabbitmq") }}-default-user
{{- else }}{{ include "agenticai.component.name" (dict "root" . "component" "rabbitmq") }}{{ end -}}
{{- end }}

{{/* agenticai.connections $: the settings that follow from all this, as lines of the ConfigMap. */}}
{{- define "agenticai.connections" -}}
AGENTICAI_DATABASE_URL: {{ include "agenticai.postgresql.url" (dict "root" . "host" (include "agenticai.postgresql.host" .)) | quote }}
{{- if and (eq .Values.postgresql.mode "external") .Values.postgresql.external.migrateHost }}
AGENTICAI_DATABASE_MIGRATE_URL: {{ include "agenticai.postgresql.url" (dict "root" . "host" .Values.postgresql.external.migrateHost) | quote }}
{{- end }}
AGENTICAI_DATABASE_PASSWORD_FILE: /run/secrets/agenticai/postgresql/password
{{- with include "agenticai.redis.url" . }}
AGENTICAI_REDIS_URL: {{ . | quote }}
{{- end }}
{{- if include "agenticai.redis.authenticated" . }}
AGENTICAI_REDIS_PASSWORD_FILE: /run/secrets/agenticai/redis/password
{{- end }}
{{- if eq .Values.redis.mode "sentinel" }}
AGENTICAI_REDIS_SENTINEL_GROUP: agenticai
AGENTICAI_REDIS_SENTINEL_PASSWORD_FILE: /run/secrets/agenticai/redis/password
{{- else if and (eq .Values.redis.mode "external") .Values.redis.external.sentinelGroup }}
AGENTICAI_REDIS_SENTINEL_GROUP: {{ .Values.redis.external.sentinelGroup | quote }}
{{- end }}
{{- if and (eq .Values.redis.mode "external") .Values.redis.external.caSecret }}
AGENTICAI_REDIS_CA_FILE: /etc/agenticai/redis-ca/{{ .Values.redis.external.caKey }}
{{- end }}
{{- with include "agenticai.rabbitmq.url" . }}
AGENTICAI_RABBITMQ_URL: {{ . | quote }}
AGENTICAI_RABBITMQ_PASSWORD_FILE: /run/secrets/agenticai/rabbitmq/password
{{- end }}
{{- if and (eq .Values.rabbitmq.mode "external") .Values.rabbitmq.external.caSecret }}
AGENTICAI_RABBITMQ_CA_FILE: /etc/agenticai/rabbitmq-ca/{{ .Values.rabbitmq.external.caKey }}
{{- end }}
{{- if eq .Values.objectStore.mode "filesystem" }}
AGENTICAI_BLOBS_DIRECTORY: {{ .Values.objectStore.filesystem.mountPath }}
{{- end }}
AGENTICAI_SECRETS_DIR: /run/secrets/agenticai/llm
{{- if .Values.configFile }}
AGENTICAI_CONFIG: /etc/agenticai/config/agenticai.toml
{{- end }}
{{- end }}

{{/* agenticai.connections.secret (list VOLUME SECRET KEY PATH): one password or certificate as a volume. */}}
{{- define "agenticai.connections.secret" -}}
- name: {{ index . 0 }}
  secret:
    secretName: {{ index . 1 }}
    defaultMode: 0440
    items: [{key: {{ index . 2 | quote }}, path: {{ index . 3 | quote }}}]
{{- end }}

{{/* agenticai.connections.volumes $: the files that those settings name. */}}
{{- define "agenticai.connections.volumes" -}}
{{ include "agenticai.connections.secret" (list "postgresql-password" (include "agenticai.postgresql.secret" .) .Values.postgresql.auth.passwordKey "password") }}
{{- $ca := include "agenticai.postgresql.ca" . | fromYaml }}
{{- if $ca.secret }}
{{ include "agenticai.connections.secret" (list "postgresql-ca" $ca.secret $ca.key $ca.key) }}
{{- end }}
{{- if include "agenticai.redis.authenticated" . }}
{{ include "agenticai.connections.secret" (list "redis-password" (include "agenticai.secretName" (dict "root" . "component" "redis" "auth" .Values.redis.auth)) .Values.redis.auth.passwordKey "password") }}
{{- end }}
{{- if and (eq .Values.redis.mode "external") .Values.redis.external.caSecret }}
{{ include "agenticai.connections.secret" (list "redis-ca" .Values.redis.external.caSecret .Values.redis.external.caKey .Values.redis.external.caKey) }}
{{- end }}
{{- if include "agenticai.rabbitmq.url" . }}
{{ include "agenticai.connections.secret" (list "rabbitmq-password" (include "agenticai.rabbitmq.secret" .) .Values.rabbitmq.auth.passwordKey "password") }}
{{- end }}
{{- if and (eq .Values.rabbitmq.mode "external") .Values.rabbitmq.external.caSecret }}
{{ include "agenticai.connections.secret" (list "rabbitmq-ca" .Values.rabbitmq.external.caSecret .Values.rabbitmq.external.caKey .Values.rabbitmq.external.caKey) }}
{{- end }}
{{- if .Values.configFile }}
- name: config
  configMap:
    name: {{ include "agenticai.component.name" (dict "root" . "component" "config-file") }}
    items: [{key: agenticai.toml, path: agenticai.toml}]
{{- end }}
{{- if eq .Values.objectStore.mode "filesystem" }}
- name: blobs
  persistentVolumeClaim:
    claimName: {{ .Values.objectStore.filesystem.existingClaim | default (include "agenticai.component.name" (dict "root" . "component" "blobs")) }}
{{- end }}
{{- end }}

{{/* agenticai.connections.volumeMounts $: where those settings look for them. */}}
{{- define "agenticai.connections.volumeMounts" -}}
- {name: postgresql-password, mountPath: /run/secrets/agenticai/postgresql, readOnly: true}
{{- if (include "agenticai.postgresql.ca" . | fromYaml).secret }}
- {name: postgresql-ca, mountPath: /etc/agenticai/postgresql-ca, readOnly: true}
{{- end }}
{{- if include "agenticai.redis.authenticated" . }}
- {name: redis-password, mountPath: /run/secrets/agenticai/redis, readOnly: true}
{{- end }}
{{- if and (eq .Values.redis.mode "external") .Values.redis.external.caSecret }}
- {name: redis-ca, mountPath: /etc/agenticai/redis-ca, readOnly: true}
{{- end }}
{{- if include "agenticai.rabbitmq.url" . }}
- {name: rabbitmq-password, mountPath: /run/secrets/agenticai/rabbitmq, readOnly: true}
{{- end }}
{{- if and (eq .Values.rabbitmq.mode "external") .Values.rabbitmq.external.caSecret }}
- {name: rabbitmq-ca, mountPath: /etc/agenticai/rabbitmq-ca, readOnly: true}
{{- end }}
{{- if .Values.configFile }}
- {name: config, mountPath: /etc/agenticai/config, readOnly: true}
{{- end }}
{{- if eq .Values.objectStore.mode "filesystem" }}
- {name: blobs, mountPath: {{ .Values.objectStore.filesystem.mountPath }}}
{{- end }}
{{- end }}

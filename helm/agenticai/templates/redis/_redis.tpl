{{/* Redis in the three modes in which the chart makes it. */}}

{{/* agenticai.redis.env $: who is where, for the scripts. */}}
{{- define "agenticai.redis.env" -}}
{{- $all := dict "root" . "component" "redis" "replicas" (include "agenticai.state.replicas" (dict "root" . "component" "redis")) -}}
- {name: MODE, value: {{ .Values.redis.mode }}}
- {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
- {name: HOST, value: $(POD_NAME).{{ include "agenticai.state.domain" $all }}}
- {name: ADDRESS, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
- {name: PORT, value: "6379"}
- {name: SENTINEL_PORT, value: "26379"}
- {name: PEERS, value: {{ include "agenticai.state.addresses" (merge (dict "port" 6379) $all) | quote }}}
- {name: SENTINELS, value: {{ include "agenticai.state.addresses" (merge (dict "port" 26379) $all) | quote }}}
- {name: DATA, value: /data}
- {name: RUN, value: /run/redis}
- {name: CONFIG, value: /etc/agenticai-redis}
- {name: PASSWORD_FILE, value: /run/secrets/redis/password}
- {name: SERVER, value: {{ .Values.redis.commands.server | quote }}}
- {name: CLI, value: {{ .Values.redis.commands.cli | quote }}}
{{- end }}

{{/* agenticai.redis.ping PORT: a probe. A server that loads its file answers, with an error, and is left to load it. */}}
{{- define "agenticai.redis.ping" -}}
exec:
  command:
    - /bin/sh
    - -c
    - REDISCLI_AUTH=$(cat "$PASSWORD_FILE") "$CLI" --no-auth-warning -p "{{ .port }}" ping | grep -qE '{{ .answers }}'
{{- end }}

{{- define "agenticai.redis.volumeMounts" -}}
- {name: data, mountPath: /data}
- {name: run, mountPath: /run/redis}
- {name: files, mountPath: /etc/agenticai-redis, readOnly: true}
- {name: password, mountPath: /run/secrets/redis, readOnly: true}
{{ include "agenticai.state.volumeMounts" . }}
{{- end }}

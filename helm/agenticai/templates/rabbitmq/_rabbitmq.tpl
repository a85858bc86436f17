{{/* RabbitMQ as the chart makes it itself. */}}

{{/* agenticai.rabbitmq.env $: who is where, for the scripts and for RabbitMQ's own commands. */}}
{{- define "agenticai.rabbitmq.env" -}}
{{- $name := include "agenticai.component.name" (dict "root" . "component" "rabbitmq") -}}
{{- $domain := include "agenticai.state.domain" (dict "root" . "component" "rabbitmq") -}}
{{- $nodes := list -}}
{{- range $i := until (int .Values.rabbitmq.replicaCount) }}{{ $nodes = append $nodes (printf "rabbit@%s-%d.%s" $name $i $domain) }}{{ end -}}
- {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
- {name: NODE, value: rabbit@$(POD_NAME).{{ $domain }}}
- {name: NODES, value: {{ join " " $nodes | quote }}}
- {name: SEED, value: {{ first $nodes }}}
- {name: DATA, value: /var/lib/rabbitmq}
- {name: OUT, value: /run/rabbitmq}
- {name: CONFIG, value: /etc/agenticai-rabbitmq}
- {name: SECRETS, value: /run/secrets/rabbitmq}
- {name: USERNAME, value: {{ .Values.rabbitmq.auth.username | quote }}}
- {name: MEMORY_LIMIT, valueFrom: {resourceFieldRef: {containerName: rabbitmq, resource: limits.memory}}}
- {name: QUORUM_WAIT_SECONDS, value: {{ .Values.rabbitmq.quorumWaitSeconds | quote }}}
- {name: HOME, value: /var/lib/rabbitmq}
- {name: RABBITMQ_NODENAME, value: $(NODE)}
- {name: RABBITMQ_USE_LONGNAME, value: "true"}
- {name: RABBITMQ_MNESIA_BASE, value: /var/lib/rabbitmq/mnesia}
- {name: RABBITMQ_ENABLED_PLUGINS_FILE, value: /etc/agenticai-rabbitmq/enabled_plugins}
{{- end }}

{{- define "agenticai.rabbitmq.volumeMounts" -}}
- {name: data, mountPath: /var/lib/rabbitmq}
- {name: run, mountPath: /run/rabbitmq}
- {name: log, mountPath: /var/log/rabbitmq}
- {name: files, mountPath: /etc/agenticai-rabbitmq, readOnly: true}
- {name: secrets, mountPath: /run/secrets/rabbitmq, readOnly: true}
{{ include "agenticai.state.volumeMounts" . }}
{{- end }}

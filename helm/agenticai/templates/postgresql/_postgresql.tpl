{{/* The database that the chart makes itself: one primary, and standbys that stream from it. */}}

{{/* agenticai.postgresql.settings $: settings of the server, those of the values before those of the chart. */}}
{{- define "agenticai.postgresql.settings" -}}
{{- $ours := dict
  "max_connections" 400
  "shared_buffers" "512MB"
  "effective_cache_size" "2GB"
  "maintenance_work_mem" "256MB"
  "work_mem" "8MB"
  "wal_compression" "on"
  "max_wal_size" "2GB"
  "min_wal_size" "256MB"
  "checkpoint_timeout" "15min"
  "checkpoint_completion_target" "0.9"
  "wal_keep_size" "2GB"
  "random_page_cost" "1.1"
  "effective_io_concurrency" 100
  "idle_in_transaction_session_timeout" "5min"
  "tcp_keepalives_idle" 60
-}}
{{- merge (dict) .Values.postgresql.settings $ours | toYaml }}
{{- end }}

{{/* Name of the StatefulSet and the pods of the standbys. */}}
{{- define "agenticai.postgresql.replicaName" -}}
{{- include "agenticai.component.name" (dict "root" . "component" "postgresql-replica") }}
{{- end }}

{{/* The pod that is the primary: the first, unless a standby was promoted by hand. */}}
{{- define "agenticai.postgresql.primary" -}}
{{- .Values.postgresql.primary | default (printf "%s-0" (include "agenticai.component.name" (dict "root" . "component" "postgresql"))) }}
{{- end }}

{{/* agenticai.postgresql.pods (dict "root" $ "replicas" n): names of the pods, as a list in YAML. */}}
{{- define "agenticai.postgresql.pods" -}}
- {{ include "agenticai.component.name" (dict "root" .root "component" "postgresql") }}-0
{{- range $i := until (sub (int .replicas) 1 | int) }}
- {{ include "agenticai.postgresql.replicaName" $.root }}-{{ $i }}
{{- end }}
{{- end }}

{{/*
agenticai.postgresql.env $: where everything is, for the scripts. All pods that there may be are named, whether they are there
or not: another number of standbys must not restart the primary.
*/}}
{{- define "agenticai.postgresql.env" -}}
{{- $domain := include "agenticai.state.domain" (dict "root" . "component" "postgresql") -}}
{{- $peers := list -}}
{{- range $pod := include "agenticai.postgresql.pods" (dict "root" . "replicas" 3) | fromYamlArray }}{{ $peers = append $peers (printf "%s.%s:5432" $pod $domain) }}{{ end -}}
- {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
- {name: PRIMARY, value: {{ include "agenticai.postgresql.primary" . }}}
- {name: PRIMARY_HOST, value: {{ include "agenticai.postgresql.primary" . }}.{{ $domain }}}
- {name: PRIMARY_PORT, value: "5432"}
- {name: PORT, value: "5432"}
- {name: PEERS, value: {{ join " " $peers | quote }}}
- {name: PGDATA, value: /var/lib/postgresql/data}
- {name: CONFIG, value: /etc/agenticai-postgresql}
- {name: SECRETS, value: /run/secrets/postgresql}
- {name: APP_USER, value: {{ .Values.postgresql.username | quote }}}
- {name: APP_DATABASE, value: {{ .Values.postgresql.database | quote }}}
{{- end }}

{{/* agenticai.postgresql.statefulset (dict "root" $ "component" "postgresql" "values" .Values.postgresql "role" "primary" "name" NAME "replicas" n) */}}
{{- define "agenticai.postgresql.statefulset" -}}
{{- $files := include "agenticai.state.files" (dict "root" .root "folder" "postgresql") -}}
{{- $auth := .values.auth -}}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  {{- include "agenticai.metadata" (merge (dict "version" (include "agenticai.state.version" .)) .) | nindent 2 }}
spec:
  {{- include "agenticai.state.spec" . | nindent 2 }}
  template:
    metadata:
      {{- include "agenticai.state.podMetadata" (merge (dict "config" $files) .) | nindent 6 }}
    spec:
      {{- include "agenticai.state.podHead" . | nindent 6 }}
      initContainers:
        # Not part of the server's own start: a copy of a large primary may take hours, which no probe should count.
        - name: prepare
          {{- include "agenticai.state.container" . | nindent 10 }}
          command: [/bin/sh, /etc/agenticai-postgresql/prepare.sh]
          env:
            {{- include "agenticai.postgresql.env" .root | nindent 12 }}
            {{- with include "agenticai.state.env" . | trim }}
            {{- . | nindent 12 }}
            {{- end }}
          resources:
            {{- toYaml .values.resources | nindent 12 }}
          volumeMounts:
            {{- include "agenticai.postgresql.volumeMounts" . | nindent 12 }}
      containers:
        - name: postgresql
          {{- include "agenticai.state.container" . | nindent 10 }}
          command: [/bin/sh, /etc/agenticai-postgresql/serve.sh]
          ports:
            - {name: postgresql, containerPort: 5432}
          env:
            {{- include "agenticai.postgresql.env" .root | nindent 12 }}
            {{- with include "agenticai.state.env" . | trim }}
            {{- . | nindent 12 }}
            {{- end }}
          # 1 is a server that is there and takes nobody yet: it recovers, and would only begin again if it were killed.
          startupProbe:
            exec: {command: [/bin/sh, -c, 'pg_isready --quiet --port="$PORT"; [ $? -le 1 ]']}
            {{- toYaml .values.probes.startup | nindent 12 }}
          livenessProbe:
            exec: {command: [/bin/sh, -c, 'pg_isready --quiet --port="$PORT"; [ $? -le 1 ]']}
            {{- toYaml .values.probes.liveness | nindent 12 }}
          readinessProbe:
            exec: {command: [/bin/sh, -c, 'exec pg_isready --quiet --port="$PORT"']}
            {{- toYaml .values.probes.readiness | nindent 12 }}
          lifecycle:
            preStop:
              # SIGTERM would wait for every client to leave by itself.
              exec: {command: [/bin/sh, -c, 'exec pg_ctl --pgdata="$PGDATA" --mode=fast --no-wait stop']}
          resources:
            {{- toYaml .values.resources | nindent 12 }}
          volumeMounts:
            {{- include "agenticai.postgresql.volumeMounts" . | nindent 12 }}
      volumes:
        - name: files
          configMap: {name: {{ include "agenticai.component.name" . }}}
        - name: passwords
          secret:
            secretName: {{ include "agenticai.postgresql.secret" .root }}
            defaultMode: 0440
            items:
              - {key: {{ $auth.passwordKey | quote }}, path: password}
              - {key: {{ $auth.postgresPasswordKey | quote }}, path: postgres-password}
              - {key: {{ $auth.replicationPasswordKey | quote }}, path: replication-password}
        - name: socket
          emptyDir: {sizeLimit: 1Mi}
        # Parallel queries meet in shared memory, of which containers are given 64 MB.
        - name: shared-memory
          emptyDir: {medium: Memory, sizeLimit: 256Mi}
        {{- include "agenticai.state.volumes" . | nindent 8 }}
{{- end }}

{{- define "agenticai.postgresql.volumeMounts" -}}
- {name: data, mountPath: /var/lib/postgresql}
- {name: files, mountPath: /etc/agenticai-postgresql, readOnly: true}
- {name: passwords, mountPath: /run/secrets/postgresql, readOnly: true}
- {name: socket, mountPath: /var/run/postgresql}
- {name: shared-memory, mountPath: /dev/shm}
{{ include "agenticai.state.volumeMounts" . }}
{{- end }}

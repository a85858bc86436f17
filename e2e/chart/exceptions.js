'use strict';
// What the checks let pass, each with its reason. Short lists are the aim.

/** Components whose pods speak to the API server, and so have a token. */
const TOKENS = {};

/** Containers that write to their root. */
const WRITABLE = {};

/** Containers that nobody asks how they are. */
const PROBELESS = {
  join: 'joins nodes of Redis to a cluster and serves nothing',
};

/** Pods that a NetworkPolicy names although they may be absent, by component. */
const ABSENT_PEERS = {
  migration: 'with migration.enabled=false migrations are run by hand, from a pod with these labels',
};

/** Values whose change shows in no rendering without a cluster. */
const UNSEEN = {
  'networkPolicy.extra': 'rules by component: what it holds has to name one, which no made-up value does; the table of flows tries it',
};

/** Where a value is tried first, by the beginning of its path: what it needs beside it to matter. */
const CONTEXTS = {
  'global.caBundle': { global: { caBundle: { configMap: 'authorities' } } },
  'postgresql.external.caKey': { postgresql: { mode: 'external', external: { host: 'db.example.com', caSecret: 'authority' }, auth: { existingSecret: 'existing' } } },
  'postgresql.podDisruptionBudget': { postgresql: { replicaCount: 3 } },
  'redis.external.caKey': { redis: { mode: 'external', external: { url: 'rediss://cache.example.com:6380', caSecret: 'authority' }, auth: { existingSecret: 'existing' } } },
  'rabbitmq.external.caKey': { rabbitmq: { mode: 'external', external: { url: 'amqps://agenticai@mq.example.com:5671/agenticai', caSecret: 'authority' }, auth: { existingSecret: 'existing' } } },
  'networkPolicy.apiServer': { postgresql: { mode: 'cnpg' } },
  'networkPolicy.cnpgOperator': { postgresql: { mode: 'cnpg' } },
  'networkPolicy.backup': { postgresql: { mode: 'cnpg', cnpg: { backup: { barmanObjectStore: { destinationPath: 's3://backups/agenticai' } } } } },
  'networkPolicy.rabbitmqOperator': { rabbitmq: { mode: 'operator' } },
  'networkPolicy.edge': { ingress: { enabled: true }, certManager: { clusterIssuer: 'letsencrypt' } },
  'networkPolicy.proxy': { global: { proxy: { https: 'http://proxy.example.com:3128' } } },
  'certManager.clusterIssuer': { ingress: { enabled: true }, certManager: { clusterIssuer: 'letsencrypt' } },
  'rateLimit.forwardedDepth': { ingress: { enabled: true, className: 'traefik' }, certManager: { clusterIssuer: 'letsencrypt' } },
  'otelCollector.external.endpoint': { otelCollector: { mode: 'external', external: { endpoint: 'collector.example.com:5317' } } },
  'otelCollector.loki': { otelCollector: { loki: { endpoint: 'http://loki.monitoring.svc:3100/otlp' } } },
  'otelCollector.prometheus': { otelCollector: { prometheus: { endpoint: 'http://prometheus.monitoring.svc:9090/api/v1/otlp' } } },
  'global.proxy': { global: { proxy: { http: 'http://proxy.example.com:3128' } } },
};

/** Settings whose default in the chart is meant to differ from the program's own. */
const DELIBERATE = {
  AGENTICAI_LOG_FORMAT: 'logs of a cluster are read by machines',
  AGENTICAI_CLUSTER_PRE_STOP_SECONDS: 'the program has none outside of a cluster, and 5 in one',
};

/** What is made although nothing that is rendered uses it, by kind and component. */
const UNUSED = {
  'Secret signing': 'the keys that sign tokens are read once the front door exists',
  'PriorityClass priority': 'three classes for every kind of pod; a release without databases leaves one of them idle',
};

/** Findings of checkov that stand, by check: what they are about, and why. */
const POLICY = {
  CKV_K8S_8: [
    { where: /agenticai-test /, reason: 'the pod of helm test asks once and ends' },
    { where: /StatefulSet\.agenticai\.agenticai-redis /, reason: 'it is about `join`, which joins nodes to a cluster and serves nothing' },
  ],
  CKV_K8S_9: [
    { where: /agenticai-test /, reason: 'the pod of helm test asks once and ends' },
    { where: /StatefulSet\.agenticai\.agenticai-redis /, reason: 'it is about `join`, which joins nodes to a cluster and serves nothing' },
  ],
  CKV_K8S_43: [{ where: /./, reason: 'tags name a version; digests differ by mirror and are set by image.digest of each part' }],
  CKV_K8S_15: [{ where: /./, reason: 'a tag is one version for ever, so a node need not ask the registry each time; image.pullPolicy says otherwise' }],
  CKV_K8S_35: [{ where: /agenticai-(api|worker) /, reason: 'providers\' keys are read from variables of their usual names (OPENAI_API_KEY); passwords of servers are files' }],
  CKV_K8S_40: [{ where: /agenticai-(postgresql|redis|rabbitmq)/, reason: 'the upstream images are made for users 999 and below, whom their volumes belong to' }],
};

module.exports = { TOKENS, WRITABLE, PROBELESS, ABSENT_PEERS, UNSEEN, CONTEXTS, DELIBERATE, UNUSED, POLICY };

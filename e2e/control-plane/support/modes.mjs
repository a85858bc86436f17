// The ways in which the chart can be installed: the values of each, and what must be in the namespace before.

import path from "node:path";

import { chart, create } from "./cluster.mjs";

const password = { password: "for the test alone" };
const ca = { "ca.crt": "for the test alone" };

/** Servers of somebody else's, or passwords that were made beforehand. */
const servers = {
  "agenticai-postgresql-auth": password,
  "agenticai-redis-auth": password,
  "agenticai-rabbitmq-auth": { ...password, "erlang-cookie": "for the test alone" },
};

/** What values-production.yaml and values-existing-platform.yaml take for granted. */
const models = { "agenticai-models": { OPENAI_API_KEY: "for the test alone" } };
const platform = {
  ...servers,
  ...models,
  "agenticai-signing": { current: "for the test alone" },
  "postgresql-ca": ca,
  "redis-ca": ca,
  "rabbitmq-ca": ca,
  "registry-example-com": {},
};

const external = [
  "postgresql.mode=external", "postgresql.external.host=db.example.com", "postgresql.auth.existingSecret=agenticai-postgresql-auth",
  "redis.mode=external", "redis.external.url=rediss://cache.example.com:6380", "redis.auth.existingSecret=agenticai-redis-auth",
  "rabbitmq.mode=external", "rabbitmq.external.url=amqps://agenticai@mq.example.com:5671/agenticai",
  "rabbitmq.auth.existingSecret=agenticai-rabbitmq-auth",
];

const cloudNativePg = { "agenticai-postgresql-app": password, "agenticai-postgresql-ca": ca };
const monitoringRoute = ["monitoringRoute.enabled=true", "monitoringRoute.auth.existingSecret=monitoring-users"];

/**
 * By name: `set` and `values` for Helm; `secrets` and `configMaps` that exist before; `operator`, Secrets that an operator
 * would make, whose controller does not run here; `elsewhere`, components whose pods such an operator would make.
 */
export const modes = {
  "defaults": {},
  "external servers": { set: external, secrets: servers },
  "CloudNativePG": { set: ["postgresql.mode=cnpg"], operator: cloudNativePg, elsewhere: ["postgresql"] },
  "RabbitMQ's operator": {
    set: ["rabbitmq.mode=operator"], operator: { "agenticai-rabbitmq-default-user": password }, elsewhere: ["rabbitmq"],
  },
  "Sentinel": { set: ["redis.mode=sentinel"] },
  "Redis in six nodes": { set: ["redis.mode=cluster"] },
  "PostgreSQL with standbys": { set: ["postgresql.replicaCount=3"] },
  "the database alone": { set: ["redis.mode=none", "rabbitmq.mode=none", "otelCollector.mode=disabled", "jaeger.mode=disabled"] },
  "ChromaDB": { set: ["chromadb.enabled=true"] },
  "KEDA": { set: ["worker.autoscaling.owner=keda"] },
  "Gateway API by Traefik": {
    set: ["gateway.enabled=true", "gateway.create.enabled=true", "certManager.createIssuer=true", "certManager.acme.email=ops@example.com",
      ...monitoringRoute],
    secrets: { "monitoring-users": { users: "for the test alone" } },
  },
  "Gateway API by Envoy": {
    set: ["gateway.enabled=true", "gateway.create.enabled=true", "gateway.create.className=envoy", "certManager.clusterIssuer=letsencrypt",
      "rateLimit.provider=envoy-gateway", ...monitoringRoute],
    secrets: { "monitoring-users": { ".htpasswd": "for the test alone" } },
  },
  "Ingress by Traefik": {
    set: ["ingress.enabled=true", "certManager.clusterIssuer=letsencrypt", ...monitoringRoute],
    secrets: { "monitoring-users": { users: "for the test alone" } },
  },
  "Ingress by HAProxy": {
    set: ["ingress.enabled=true", "ingress.className=haproxy", "rateLimit.provider=haproxy", "certManager.clusterIssuer=letsencrypt"],
  },
  "payloads in a file system": { set: ["objectStore.mode=filesystem", "objectStore.filesystem.storageClass=shared"] },
  "monitoring": {
    set: ["serviceMonitor.enabled=true", "serviceMonitor.labels.release=prometheus", "prometheusRule.enabled=true",
      "jaeger.storage.type=badger"],
  },
  "traces elsewhere": {
    set: ["otelCollector.mode=external", "otelCollector.external.endpoint=collector.example.com:4317", "jaeger.mode=disabled"],
  },
  "values-dev.yaml": { values: "values-dev.yaml" },
  "values-staging.yaml": { values: "values-staging.yaml", secrets: models },
  "values-production.yaml": {
    values: "values-production.yaml", secrets: platform, operator: cloudNativePg, elsewhere: ["postgresql"],
  },
  "values-existing-platform.yaml": {
    values: "values-existing-platform.yaml", secrets: platform, configMaps: { "company-ca": ca },
  },
};

/** Helm's arguments for a mode. */
export const argumentsOf = ({ set = [], values }) => [
  ...(values ? ["--values", path.join(chart, values)] : []), ...set.flatMap((one) => ["--set", one]),
];

/** What must be there before, and what an operator would make. */
export async function prepare(namespace, { secrets = {}, configMaps = {}, operator = {} }) {
  for (const [name, stringData] of Object.entries({ ...secrets, ...operator })) {
    await create("secrets", namespace, { metadata: { name }, stringData });
  }
  for (const [name, data] of Object.entries(configMaps)) await create("configmaps", namespace, { metadata: { name }, data });
}

/** A mode's name as part of a namespace's. */
export const slug = (mode) => mode.toLowerCase().replace(/\.yaml$/, "").replace(/[^a-z0-9]+/g, "-").replace(/-$/, "");

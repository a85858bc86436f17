'use strict';
// What the matrix has to know of choices beyond their names.

const labelled = (labels, name) => labels.some((label) => label.startsWith(`${name}=`));
/** A choice that is tried alone brings along whatever passes requests in. */
const ingressUnlessChosen = (labels) => (labelled(labels, 'ingress.enabled') ? {} : { ingress: { enabled: true }, certManager: { clusterIssuer: 'letsencrypt' } });

/** What a choice needs beside it to be possible at all: COMPANIONS[choice](all choices). */
const COMPANIONS = {
  'postgresql.mode=external': () => ({
    postgresql: { external: { host: 'db.example.com' }, auth: { existingSecret: 'existing-postgresql' } },
  }),
  'redis.mode=external': () => ({
    redis: { external: { url: 'rediss://cache.example.com:6380' }, auth: { existingSecret: 'existing-redis' } },
  }),
  'rabbitmq.mode=external': () => ({
    rabbitmq: { external: { url: 'amqps://agenticai@mq.example.com:5671/agenticai' }, auth: { existingSecret: 'existing-rabbitmq' } },
  }),
  'otelCollector.mode=external': () => ({ otelCollector: { external: { endpoint: 'collector.example.com:4317' } } }),
  'jaeger.mode=external': () => ({ jaeger: { external: { endpoint: 'jaeger.example.com:4317' } } }),
  'ingress.enabled=true': (labels) => ({
    ingress: { className: { haproxy: 'haproxy', 'nginx-annotations': 'nginx' }[labels.find((label) => label.startsWith('rateLimit.provider='))?.split('=')[1]] ?? 'traefik' },
    ...(labels.includes('certManager.createIssuer=true') ? {} : { certManager: { clusterIssuer: 'letsencrypt' } }),
  }),
  'gateway.enabled=true': (labels) => ({
    ...(labels.includes('gateway.create.enabled=true') ? {} : { gateway: { parentRefs: [{ name: 'shared', namespace: 'gateways' }] } }),
    ...(labels.includes('certManager.createIssuer=true') ? {} : { certManager: { clusterIssuer: 'letsencrypt' } }),
  }),
  'gateway.create.enabled=true': (labels) => (labelled(labels, 'gateway.enabled') ? {} : { gateway: { enabled: true }, certManager: { clusterIssuer: 'letsencrypt' } }),
  'monitoringRoute.enabled=true': (labels) => ({
    ...ingressUnlessChosen(labels),
    monitoringRoute: { auth: { existingSecret: 'existing-users', ...(labels.includes('rateLimit.provider=none') ? { provider: 'traefik' } : {}) } },
  }),
  'certManager.createIssuer=true': (labels) => ({
    ...(labelled(labels, 'ingress.enabled') ? {} : { ingress: { enabled: true } }),
    certManager: { acme: { email: 'platform@example.com' } },
  }),
  'ingress.tls.enabled=false': (labels) => ingressUnlessChosen(labels),
  'rateLimit.provider=haproxy': (labels) => (labelled(labels, 'ingress.enabled') ? {} : { ingress: { enabled: true, className: 'haproxy' }, certManager: { clusterIssuer: 'letsencrypt' } }),
  'rateLimit.provider=nginx-annotations': (labels) => (labelled(labels, 'ingress.enabled') ? {} : { ingress: { enabled: true, className: 'nginx' }, certManager: { clusterIssuer: 'letsencrypt' } }),
  'rateLimit.provider=none': (labels) => ingressUnlessChosen(labels),
  'rateLimit.provider=envoy-gateway': (labels) => (labelled(labels, 'gateway.enabled') ? {} : { gateway: { enabled: true, parentRefs: [{ name: 'shared' }] } }),
};

const EDGELESS = ['ingress.enabled=false', 'gateway.enabled=false'];

/** Choices that the chart refuses together; a check makes sure that it does. */
const IMPOSSIBLE = [
  ['worker.autoscaling.owner=keda', 'worker.autoscaling.external.enabled=true'],
  ['ingress.enabled=true', 'gateway.enabled=true'],
  ['ingress.enabled=true', 'rateLimit.provider=envoy-gateway'],
  ['gateway.enabled=true', 'rateLimit.provider=haproxy'],
  ['gateway.enabled=true', 'rateLimit.provider=nginx-annotations'],
  ['monitoringRoute.enabled=true', ...EDGELESS],
  ['monitoringRoute.enabled=true', 'jaeger.mode=external'],
  ['monitoringRoute.enabled=true', 'jaeger.mode=disabled'],
  ['monitoringRoute.enabled=true', 'ingress.enabled=true', 'ingress.tls.enabled=false'],
  ['certManager.createIssuer=true', ...EDGELESS],
];

/** Cases that no single choice makes. */
const FURTHER = [
  { name: 'three PostgreSQL servers with replication', values: { postgresql: { replicaCount: 3 } } },
  { name: 'a Gateway of its own, with everything behind it', values: {
    gateway: { enabled: true, create: { enabled: true } }, certManager: { createIssuer: true, acme: { email: 'platform@example.com' } },
    rateLimit: { provider: 'envoy-gateway' }, monitoringRoute: { enabled: true, auth: { existingSecret: 'existing-users' } },
  } },
  { name: 'a configuration file, keys, objects and hosts of one\'s own', values: {
    configFile: '[providers.local]\ndialect = "openai"\nurl = "http://models.example.com/v1"\n',
    secrets: { llm: { values: { OPENAI_API_KEY: 'a-key' } } },
    extraObjects: [{ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', rules: [], metadata: {
      name: '{{ .Release.Name }}-own', namespace: '{{ .Release.Namespace }}',
      labels: { 'app.kubernetes.io/instance': '{{ .Release.Name }}', 'agenticai.dev/region': '{{ .Values.global.region }}', 'example.com/team': 'agents' },
      annotations: { 'example.com/owner': 'platform' },
    } }],
  } },
];

module.exports = { COMPANIONS, IMPOSSIBLE, FURTHER };

'use strict';
// Values that each of the chart's guards refuses. The check `guards` makes sure that no guard lacks an example here.

const external = { redis: { mode: 'external', external: { url: 'redis://c.example.com' } } };
const ingress = { ingress: { enabled: true }, certManager: { clusterIssuer: 'letsencrypt' } };
const gateway = { gateway: { enabled: true, parentRefs: [{ name: 'shared' }] } };
const route = (over, edge = ingress) => ({ ...edge, monitoringRoute: { enabled: true, auth: { existingSecret: 'users' }, ...over } });
const users = { existingSecret: 'users' };

/** Each: values, and words of the sentences that have to be told. */
module.exports = [
  // connections
  [{ postgresql: { mode: 'external' } }, 'names no server', 'postgresql.mode is external, and the chart does not know its password'],
  [{ redis: { mode: 'external' } }, 'redis.external.url is empty'],
  [{ redis: { mode: 'external', external: { url: 'redis://me:secret@c.example.com' } } }, 'redis.external.url holds a password'],
  [external, 'redis.external.authenticated is true'],
  [{ rabbitmq: { mode: 'external' } }, 'rabbitmq.external.url is empty', 'rabbitmq.mode is external, and the chart does not know its password'],
  [{ rabbitmq: { mode: 'external', external: { url: 'amqp://me:secret@mq.example.com' } } }, 'rabbitmq.external.url holds a password'],
  [{ global: { caBundle: { configMap: 'a', secret: 'b' } } }, 'global.caBundle names a ConfigMap and a Secret'],
  [{ config: { server: { port: 9090 } } }, 'config.server.port and config.cluster.adminPort are both 9090'],
  // scaling
  [{ api: { autoscaling: { minReplicas: 5, maxReplicas: 4 } } }, 'api.autoscaling.minReplicas (5) is above maxReplicas (4)'],
  [{ worker: { replicaCount: 1 } }, 'worker.replicaCount (1) is not between'],
  [{ api: { autoscaling: { targetCPU: null, targetMemory: null } } }, 'api.autoscaling is enabled without anything to go by'],
  [{ api: { resources: { requests: { cpu: null, memory: null } } } }, 'api.resources.requests.cpu is empty', 'api.resources.requests.memory is empty'],
  [{ worker: { autoscaling: { owner: 'keda', external: { enabled: true } } } }, 'A Deployment has one autoscaler'],
  [{ worker: { terminationGracePeriodSeconds: 60 } }, 'worker.terminationGracePeriodSeconds (60) is shorter than stopping may take (315 s'],
  // storage
  [{ objectStore: { filesystem: { existingClaim: 'blobs' } } }, 'objectStore.filesystem.existingClaim is set'],
  // state
  [{ postgresql: { settings: { synchronous_commit: 'off' } } }, 'postgresql.settings.synchronous_commit is off'],
  [{ postgresql: { settings: { port: '5433' } } }, 'postgresql.settings.port is set by the chart itself'],
  [{ postgresql: { replicaCount: 4 } }, 'makes three servers at most'],
  [{ postgresql: { primary: 'agenticai-postgresql-7' } }, 'which is none of the pods'],
  [{ postgresql: { mode: 'cnpg', primary: 'agenticai-postgresql-0' } }, 'postgresql.primary belongs to postgresql.mode=statefulset'],
  [{ postgresql: { mode: 'cnpg', auth: { password: 'p' } } }, 'postgresql.auth.password is set, and postgresql.mode is cnpg'],
  [{ postgresql: { mode: 'cnpg', cnpg: { instances: 1, synchronousReplicas: 1 } } }, 'no commit could ever be confirmed'],
  [{ rabbitmq: { terminationGracePeriodSeconds: 30, quorumWaitSeconds: 60 } }, 'must be more than rabbitmq.quorumWaitSeconds (60)'],
  [{ rabbitmq: { replicaCount: 2 } }, 'half of an even number is no majority'],
  [{ rabbitmq: { resources: { limits: { memory: null } } } }, 'rabbitmq.resources.limits.memory is empty'],
  [{ rabbitmq: { mode: 'operator', auth: { password: 'p' } } }, 'rabbitmq.auth.password is set, and rabbitmq.mode is operator'],
  [{ rabbitmq: { mode: 'operator', auth: { existingSecret: 's' } } }, 'rabbitmq.auth.existingSecret is set, and rabbitmq.mode is operator'],
  [{ chromadb: { enabled: true, replicaCount: 2 } }, 'Chroma has one node'],
  // secrets
  [{ secrets: { generate: false } }, 'where the keys that sign tokens are', 'where the password of postgresql is', 'where the password of redis is', 'where the password of rabbitmq is'],
  [{ secrets: { llm: { existingSecret: 's', values: { OPENAI_API_KEY: 'k' } } } }, 'secrets.llm.existingSecret and secrets.llm.values are both set'],
  [{ redis: { auth: { existingSecret: 's', password: 'p' } } }, 'redis.auth.existingSecret and redis.auth.password are both set'],
  // images
  [{ image: { tag: 'latest' } }, 'image.tag is latest'],
  [{ jaeger: { image: { tag: 'latest' } } }, 'jaeger.image.tag is latest'],
  // edge
  [{ ...ingress, ...gateway }, 'ingress.enabled and gateway.enabled are both true'],
  [{ ...ingress, ingress: { enabled: true, className: '' } }, 'ingress.className is empty'],
  [{ ...ingress, ingress: { enabled: true, hostnames: [] } }, 'ingress.hostnames is empty'],
  [{ gateway: { enabled: true } }, 'no Gateway takes the route'],
  [{ gateway: { enabled: true, parentRefs: [{ name: 'a' }], create: { enabled: true } } }, 'gateway.create.enabled makes a Gateway', 'gateway.create.enabled is true, and nobody makes the certificate'],
  [{ ...ingress, rateLimit: { provider: 'envoy-gateway' } }, 'rateLimit.provider is envoy-gateway, which bounds HTTPRoutes'],
  [{ ...gateway, rateLimit: { provider: 'haproxy' } }, 'rateLimit.provider is haproxy, which reads annotations of Ingresses'],
  [{ ...ingress, rateLimit: { provider: 'haproxy' } }, 'rateLimit.provider is haproxy, which that controller does not read'],
  [{ ...gateway, rateLimit: { provider: 'envoy-gateway', forwardedDepth: 1 } }, 'rateLimit.forwardedDepth is read by Traefik alone'],
  [{ ...ingress, ingress: { enabled: true, annotations: { 'traefik.ingress.kubernetes.io/router.middlewares': 'a-b@kubernetescrd' } } }, 'ingress.annotations names middlewares of its own'],
  [{ certManager: { createIssuer: true, clusterIssuer: 'letsencrypt' } }, 'are both set: leave one of them out', 'certManager.acme.email is empty', 'passes Let\'s Encrypt\'s question in'],
  [{ ingress: { enabled: true } }, 'ingress.tls.enabled is true, and nobody makes the certificate'],
  // the route to Jaeger's pages
  [{ monitoringRoute: { enabled: true } }, 'monitoringRoute.enabled is true, and nothing passes requests in', 'without a password'],
  [{ ...route({}), jaeger: { mode: 'disabled' } }, 'jaeger.mode is disabled'],
  [route({ hostname: '' }), 'monitoringRoute.hostname is empty'],
  [{ ...route({}), rateLimit: { provider: 'none' } }, 'nothing says who asks for the password'],
  [route({ auth: { ...users, provider: 'envoy-gateway' } }), 'monitoringRoute.auth.provider is envoy-gateway, which guards HTTPRoutes'],
  [route({ auth: { ...users, provider: 'haproxy' } }, gateway), 'monitoringRoute.auth.provider is haproxy, which reads annotations of Ingresses'],
  [route({ auth: { ...users, provider: 'haproxy' } }), 'monitoringRoute.auth.provider is haproxy, which that controller does not read'],
  [route({ annotations: { 'traefik.ingress.kubernetes.io/router.middlewares': 'x' } }), 'which would take the place of the password'],
  [{ ...route({}), ingress: { enabled: true, tls: { enabled: false } } }, 'the password would be sent as it is'],
  [{ ...route({}), certManager: {}, ingress: { enabled: true, tls: { secretName: 'own' } } }, 'nobody makes its certificate'],
  [route({ hostname: 'agenticai.example.com' }), 'is the API\'s: give it one of its own'],
  // observability
  [{ jaeger: { mode: 'external' } }, 'jaeger.external.endpoint is empty'],
  [{ otelCollector: { mode: 'external', external: { endpoint: 'http://c.example.com:4317' } } }, 'write host:port alone'],
  [{ jaeger: { storage: { type: 'memory' }, persistence: { existingClaim: 'c' } } }, 'jaeger.persistence.existingClaim is set'],
  [{ otelCollector: { loki: { endpoint: 'http://loki.example.com:3100' } } }, 'Loki takes OTLP below /otlp'],
];

'use strict';

const assert = require('node:assert/strict');
const { podsOf } = require('../lib/pods');

exports.title = 'requests, limits, replicas, volumes, autoscalers, rollouts, probes and grace periods have the figures of the specification';

const small = [{ cpu: '250m', memory: '512Mi' }, { cpu: '1', memory: '2Gi' }];
const large = [{ cpu: '500m', memory: '1Gi' }, { cpu: '2', memory: '4Gi' }];
const POLICIES_UP = [{ type: 'Percent', value: 100, periodSeconds: 15 }, { type: 'Pods', value: 2, periodSeconds: 15 }];

/** Requests and limits of a component's main container, its replicas and the volume of each, in the defaults and in its modes. */
const TABLE = [
  ['Deployment', 'api', {}, 3, small],
  ['Deployment', 'worker', {}, 2, large],
  ['StatefulSet', 'postgresql', {}, 1, large, '20Gi'],
  ['StatefulSet', 'redis', {}, 1, small, '10Gi'],
  ['StatefulSet', 'redis', { redis: { mode: 'sentinel' } }, 3, small, '10Gi'],
  ['StatefulSet', 'redis', { redis: { mode: 'cluster' } }, 6, small, '10Gi'],
  ['StatefulSet', 'rabbitmq', {}, 3, small, '10Gi'],
  ['StatefulSet', 'chromadb', { chromadb: { enabled: true } }, 1, null, '20Gi'],
  ['Deployment', 'otel-collector', {}, 2, [{ cpu: '100m', memory: '256Mi' }, { cpu: '500m', memory: '512Mi' }]],
  ['Deployment', 'jaeger', {}, 1, small],
];

exports.findings = async (chart, cases, only = () => true) => {
  const findings = [];
  const same = (of, actual, expected) => {
    try { assert.deepEqual(actual, expected); } catch { findings.push(`${of}: ${JSON.stringify(actual)} instead of ${JSON.stringify(expected)}`); }
  };
  const find = async (values, kind, component, name) => {
    const { ok, objects, error } = await chart.render({ values });
    const found = ok && objects.find((object) => object.kind === kind && object.metadata.labels['app.kubernetes.io/component'] === component && (!name || object.metadata.name === name));
    if (!found) findings.push(`there is no ${kind} of ${component} with ${JSON.stringify(values)}: ${error}`);
    return found || null;
  };
  for (const [kind, component, values, replicas, resources, volume] of TABLE.filter((row) => only(row[1]))) {
    const object = await find(values, kind, component);
    if (!object) continue;
    const of = `${component} with ${JSON.stringify(values)}`;
    same(`replicas of ${of}`, object.spec.replicas, replicas);
    const main = object.spec.template.spec.containers[0];
    if (resources) same(`resources of ${of}`, [main.resources.requests, main.resources.limits], resources);
    if (volume) same(`volumes of ${of}`, object.spec.volumeClaimTemplates.map(({ spec }) => spec.resources.requests.storage), [volume]);
  }
  for (const [component, least, most, cpu, memory] of [['api', 3, 10, 70, 80], ['worker', 2, 8, 75, 85]]) {
    const hpa = await find({}, 'HorizontalPodAutoscaler', component);
    if (!hpa) continue;
    const { minReplicas, maxReplicas, metrics, behavior } = hpa.spec;
    same(`name of the autoscaler of ${component}`, hpa.metadata.name, `agenticai-${component}-hpa`);
    same(`bounds of ${component}`, [minReplicas, maxReplicas], [least, most]);
    same(`targets of ${component}`, metrics.map(({ resource: { name, target } }) => [name, target.averageUtilization]), [['cpu', cpu], ['memory', memory]]);
    same(`scale-up of ${component}`, behavior.scaleUp, { stabilizationWindowSeconds: 0, selectPolicy: 'Min', policies: POLICIES_UP });
    same(`scale-down of ${component}`, behavior.scaleDown, { stabilizationWindowSeconds: 300, policies: [{ type: 'Percent', value: 50, periodSeconds: 60 }] });
  }
  const keda = await find({ worker: { autoscaling: { owner: 'keda' } } }, 'ScaledObject', 'worker');
  if (keda) {
    same('bounds under KEDA', [keda.spec.minReplicaCount, keda.spec.maxReplicaCount], [2, 8]);
    same('name of the autoscaler under KEDA', keda.spec.advanced.horizontalPodAutoscalerConfig.name, 'agenticai-worker-hpa');
    for (const metric of ['agenticai_tasks_ready', 'agenticai_worker_tasks_in_flight']) {
      same(`KEDA asks for ${metric}`, keda.spec.triggers.some(({ metadata }) => metadata.query?.includes(metric)), true);
    }
  }
  await program(find, same);
  const replicated = await chart.render({ values: { postgresql: { replicaCount: 3 } } });
  const servers = replicated.objects.filter(({ kind, metadata }) => kind === 'StatefulSet' && metadata.labels['app.kubernetes.io/component'] === 'postgresql');
  same('servers of postgresql.replicaCount=3', servers.reduce((sum, { spec }) => sum + spec.replicas, 0), 3);
  same('their volumes', servers.map(({ spec }) => spec.volumeClaimTemplates[0].spec.resources.requests.storage), servers.map(() => '20Gi'));
  const claim = await find({ objectStore: { mode: 'filesystem' } }, 'PersistentVolumeClaim', 'blobs');
  if (claim) same('the claim of application data', [claim.spec.resources.requests.storage, claim.spec.accessModes], ['50Gi', ['ReadWriteMany']]);
  const { objects } = await chart.render({ values: {} });
  same('claims of the defaults that want more than one ReadWriteOnce class', objects.flatMap(({ spec }) => spec?.volumeClaimTemplates ?? []).flatMap(({ spec }) => spec.accessModes).filter((mode) => mode !== 'ReadWriteOnce'), []);
  const foreign = objects.map(({ apiVersion }) => apiVersion).filter((version) => /\.[a-z]+\//.test(version) && !/\.k8s\.io\//.test(version));
  same('custom resources of the defaults', foreign, []);
  const told = await chart.render({ values: { api: { replicaCount: 5 }, postgresql: { persistence: { size: '100Gi' } } } });
  const of = (kind, component) => told.objects.find((object) => object.kind === kind && object.metadata.labels['app.kubernetes.io/component'] === component)?.spec;
  same('the specification\'s own command', [of('Deployment', 'api')?.replicas, of('StatefulSet', 'postgresql')?.volumeClaimTemplates[0].spec.resources.requests.storage], [5, '100Gi']);
  return findings;
};

/** The program's own Deployments. */
async function program(find, same) {
  for (const component of ['api', 'worker', 'scheduler']) {
    const deployment = await find({}, 'Deployment', component);
    if (!deployment) continue;
    const { strategy, template } = deployment.spec;
    same(`rollout of ${component}`, strategy, { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } });
    const [container] = podsOf([deployment])[0].spec.containers;
    for (const [probe, path] of [['startupProbe', '/health/live'], ['livenessProbe', '/health/live'], ['readinessProbe', '/health/ready']]) {
      same(`${probe} of ${component}`, container[probe]?.httpGet, { path, port: 'admin' });
    }
    same(`admin port of ${component}`, container.ports.find(({ name }) => name === 'admin')?.containerPort, 9090);
    const { annotations } = template.metadata;
    same(`checksums of ${component}`, ['checksum/config', 'checksum/secrets'].map((name) => /^[0-9a-f]{64}$/.test(annotations?.[name] ?? '')), [true, true]);
  }
  const grace = async (values) => (await find(values, 'Deployment', 'worker'))?.spec.template.spec.terminationGracePeriodSeconds;
  const longest = await grace({});
  same('workers may end the longest `once` call', longest > 300, true);
  same('workers\' grace follows the longest `once` call', (await grace({ config: { worker: { maxOnceTimeoutSeconds: 900 } } })) > 900, true);
  const service = await find({}, 'Service', 'api', 'agenticai-api');
  same('the API\'s Service', [service?.metadata.name, service?.spec.type], ['agenticai-api', 'ClusterIP']);
}

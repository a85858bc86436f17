'use strict';

const { casesOf } = require('../lib/matrix');
const { called } = require('../lib/chart');
const { overCases } = require('../lib/check');
const { World } = require('../lib/world');
const { podsOf, containersOf, selects } = require('../lib/pods');
const { UNUSED, ABSENT_PEERS } = require('../exceptions');

exports.title = 'whatever is referred to is there: selectors, ports, accounts, classes, Secrets and their keys, volumes, scale targets, hosts of addresses';

exports.findings = (chart, cases = casesOf(chart)) => overCases(chart, cases, (objects, each) => {
  const world = new World(chart, objects, each);
  return [
    ...podsOf(objects).flatMap((pod) => ofPod(world, pod)),
    ...objects.flatMap((object) => (BY_KIND[object.kind]?.(world, object) ?? []).filter(Boolean).map((wrong) => `${called(object)}: ${wrong}`)),
    ...unused(world),
  ];
});

function ofPod(world, pod) {
  const { spec, name } = pod;
  const findings = [];
  const say = (wrong) => findings.push(`${name}: ${wrong}`);
  const there = (kind, of) => { if (of && !world.has(kind, of)) say(`there is no ${kind} ${of}`); };
  const keyed = (kind, of, keys, optional) => {
    if (optional) return;
    there(kind, of);
    const held = world.find(kind, of);
    const data = { ...held?.data, ...held?.stringData };
    if (held) for (const key of keys) if (!(key in data)) say(`${kind} ${of} has no key ${key}`);
  };
  if (spec.serviceAccountName !== 'default') there('ServiceAccount', spec.serviceAccountName);
  there('PriorityClass', spec.priorityClassName);
  const volumes = new Map((spec.volumes ?? []).map((volume) => [volume.name, volume]));
  for (const claim of pod.owner?.spec?.volumeClaimTemplates ?? []) volumes.set(claim.metadata.name, claim);
  for (const volume of spec.volumes ?? []) {
    for (const part of [volume, ...(volume.projected?.sources ?? [])]) {
      const keys = (items) => (items ?? []).map(({ key }) => key);
      if (part.secret) keyed('Secret', part.secret.secretName ?? part.secret.name, keys(part.secret.items), part.secret.optional);
      if (part.configMap) keyed('ConfigMap', part.configMap.name, keys(part.configMap.items), part.configMap.optional);
    }
    if (volume.persistentVolumeClaim) there('PersistentVolumeClaim', volume.persistentVolumeClaim.claimName);
  }
  const used = new Set();
  for (const { name: container, container: { env = [], envFrom = [], volumeMounts = [], ports = [], ...rest } } of containersOf(pod)) {
    for (const { configMapRef, secretRef } of envFrom) {
      if (configMapRef) keyed('ConfigMap', configMapRef.name, [], configMapRef.optional);
      if (secretRef) keyed('Secret', secretRef.name, [], secretRef.optional);
    }
    for (const { valueFrom } of env) {
      if (valueFrom?.secretKeyRef) keyed('Secret', valueFrom.secretKeyRef.name, [valueFrom.secretKeyRef.key], valueFrom.secretKeyRef.optional);
      if (valueFrom?.configMapKeyRef) keyed('ConfigMap', valueFrom.configMapKeyRef.name, [valueFrom.configMapKeyRef.key], valueFrom.configMapKeyRef.optional);
    }
    for (const mount of volumeMounts) {
      used.add(mount.name);
      if (!volumes.has(mount.name)) say(`${container} mounts ${mount.name}, which is no volume`);
    }
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
      const port = (rest[probe]?.httpGet ?? rest[probe]?.tcpSocket ?? rest[probe]?.grpc)?.port;
      if (port !== undefined && !ports.some((each) => each.name === port || each.containerPort === port)) say(`${container}: its ${probe} asks port ${port}, which it has not`);
    }
  }
  for (const volume of volumes.keys()) if (!used.has(volume)) say(`nothing mounts the volume ${volume}`);
  const terms = Object.values(spec.affinity?.podAntiAffinity ?? {}).flat().map((term) => term.podAffinityTerm ?? term);
  for (const { labelSelector } of [...terms, ...(spec.topologySpreadConstraints ?? [])]) {
    if (labelSelector && !selects(labelSelector, pod.metadata.labels)) say('is to be apart from pods that are not of its kind');
  }
  const { selector } = pod.owner?.spec ?? {};
  if (selector?.matchLabels && !selects(selector, pod.metadata.labels)) say('its selector does not match its own pods');
  return findings;
}

const podsFor = (world, selector) => world.pods.filter(({ labels }) => selects(selector, labels));

const hasPort = (pod, port) => pod.spec.containers.concat(pod.spec.initContainers ?? []).some(({ ports = [] }) => ports.some(({ name, containerPort }) => name === port || containerPort === port));

/** A Service's port, by name or number. */
const servicePort = (service, port) => service.spec.ports.some(({ name, port: number }) => name === port || number === port);

function backend(world, name, port) {
  const service = world.find('Service', name);
  if (!service) return world.has('Service', name) ? null : `there is no Service ${name}`;
  return servicePort(service, port) ? null : `Service ${name} has no port ${port}`;
}

function monitored(world, selector, endpoints, portOf) {
  const services = world.objects.filter((object) => object.kind === 'Service' && selects(selector, object.metadata.labels));
  if (!services.length) return ['its selector matches no Service'];
  return endpoints.map((endpoint) => (services.some((service) => servicePort(service, portOf(endpoint))) ? null : `no Service that it selects has the port ${portOf(endpoint)}`));
}

const BY_KIND = {
  Service: (world, { spec }) => {
    if (!spec.selector) return [];
    const pods = podsFor(world, spec.selector);
    if (!pods.length) return ['its selector matches no pod'];
    return spec.ports.map(({ targetPort, port }) => (pods.some((pod) => hasPort(pod, targetPort ?? port)) ? null : `no pod has its port ${targetPort ?? port}`));
  },
  PodDisruptionBudget: (world, { spec }) => {
    const pods = podsFor(world, spec.selector);
    const replicas = pods.reduce((sum, { owner }) => sum + (owner?.kind === 'StatefulSet' ? 1 : (owner?.spec?.replicas ?? 1)), 0);
    const least = typeof spec.minAvailable === 'number' ? spec.minAvailable : 0;
    return [pods.length ? null : 'its selector matches no pod', least && least >= replicas ? `wants ${least} of ${replicas} pods at all times: no node could ever be drained` : null,
      spec.maxUnavailable === 0 ? 'lets no pod go: no node could ever be drained' : null];
  },
  NetworkPolicy: (world, { spec }) => {
    const chosen = spec.podSelector;
    const all = !Object.keys(chosen).length || (!Object.keys(chosen.matchLabels ?? {}).length && !chosen.matchExpressions?.length);
    const pods = all ? world.pods : podsFor(world, chosen);
    const peers = [...(spec.ingress ?? []).flatMap(({ from = [] }) => from), ...(spec.egress ?? []).flatMap(({ to = [] }) => to)];
    const own = peers.filter(({ podSelector, namespaceSelector }) => podSelector && !namespaceSelector && (podSelector.matchLabels || podSelector.matchExpressions));
    const named = (spec.ingress ?? []).flatMap(({ ports = [] }) => ports).map(({ port }) => port).filter((port) => port !== undefined && !all);
    return [
      pods.length ? null : 'its selector matches no pod',
      ...own.map(({ podSelector }) => (podsFor(world, podSelector).length || ABSENT_PEERS[podSelector.matchLabels?.['app.kubernetes.io/component']] ? null : `lets pods pass that are not there: ${JSON.stringify(podSelector)}`)),
      ...named.filter((port) => typeof port === 'string').map((port) => (pods.some((pod) => hasPort(pod, port)) ? null : `opens port ${port}, which its pods have not`)),
    ];
  },
  HorizontalPodAutoscaler: (world, { spec }) => {
    const { kind, name } = spec.scaleTargetRef;
    const owners = world.objects.filter((object) => ['HorizontalPodAutoscaler', 'ScaledObject'].includes(object.kind) && object.spec.scaleTargetRef.name === name);
    return [world.find(kind, name) ? null : `there is no ${kind} ${name} to scale`, owners.length > 1 ? `${name} has more than one autoscaler` : null];
  },
  ScaledObject: (world, { spec }) => [world.find(spec.scaleTargetRef.kind ?? 'Deployment', spec.scaleTargetRef.name) ? null : `there is no ${spec.scaleTargetRef.name} to scale`,
    ...(spec.triggers ?? []).map(({ authenticationRef }) => (authenticationRef && !world.has('TriggerAuthentication', authenticationRef.name) ? `there is no TriggerAuthentication ${authenticationRef.name}` : null))],
  StatefulSet: (world, { spec }) => {
    const service = world.find('Service', spec.serviceName);
    if (!service) return [`there is no Service ${spec.serviceName} for the names of its pods`];
    return [service.spec.clusterIP === 'None' ? null : `its Service ${spec.serviceName} is not headless`,
      selects(service.spec.selector, spec.template.metadata.labels) ? null : `its Service ${spec.serviceName} does not select its pods`];
  },
  ServiceMonitor: (world, { spec }) => monitored(world, spec.selector, spec.endpoints, ({ port, targetPort }) => port ?? targetPort),
  PodMonitor: (world, { spec }) => {
    const pods = podsFor(world, spec.selector);
    if (!pods.length) return ['its selector matches no pod'];
    return spec.podMetricsEndpoints.map(({ port }) => (pods.some((pod) => hasPort(pod, port)) ? null : `no pod that it selects has the port ${port}`));
  },
  Ingress: (world, { spec }) => [
    ...(spec.rules ?? []).flatMap(({ http }) => (http?.paths ?? []).map(({ backend: { service } }) => backend(world, service.name, service.port.name ?? service.port.number))),
    ...(spec.tls ?? []).map(({ secretName }) => (!secretName || world.has('Secret', secretName) ? null : `there is no Secret ${secretName}, and nobody makes it`)),
  ],
  HTTPRoute: (world, { spec }) => (spec.rules ?? []).flatMap(({ backendRefs = [] }) => backendRefs.map(({ name, port }) => backend(world, name, port))),
  GRPCRoute: (world, { spec }) => (spec.rules ?? []).flatMap(({ backendRefs = [] }) => backendRefs.map(({ name, port }) => backend(world, name, port))),
  RoleBinding: (world, { roleRef, subjects }) => [
    world.has(roleRef.kind, roleRef.name) ? null : `there is no ${roleRef.kind} ${roleRef.name}`,
    ...subjects.map(({ kind, name }) => (kind !== 'ServiceAccount' || name === 'default' || world.has(kind, name) ? null : `there is no ServiceAccount ${name}`)),
  ],
  ConfigMap: (world, { data = {} }) => Object.entries(data).filter(([key]) => /_URL$/.test(key)).flatMap(([key, value]) => hostsOf(value).map((host) => {
    if (world.brought.has(value) || [...world.brought].some((each) => each.includes(host))) return null;
    const labels = host.split('.');
    return labels.some((label) => world.has('Service', label)) ? null : `${key} names the host ${host}, which is no Service`;
  })),
};

/** Hosts of an address, which may name several. */
const hostsOf = (url) => (url.match(/^[\w+]+:\/\/([^/?]+)/)?.[1] ?? '').split(',').map((part) => part.replace(/^.*@/, '').replace(/^\w+:\/\//, '').replace(/:\d+$/, '')).filter(Boolean);

/** What is made and used by nobody. */
function unused(world) {
  const kinds = ['ConfigMap', 'Secret', 'ServiceAccount', 'PersistentVolumeClaim', 'PriorityClass'];
  const users = world.objects.filter(({ kind }) => !['ConfigMap', 'Secret', 'ServiceAccount', 'PersistentVolumeClaim', 'PriorityClass', 'RoleBinding'].includes(kind));
  const text = new Set(users.flatMap(stringsIn));
  return world.objects.filter((object) => kinds.includes(object.kind) && !text.has(object.metadata.name))
    .filter((object) => !UNUSED[`${object.kind} ${object.metadata.labels?.['app.kubernetes.io/component']}`])
    .map((object) => `${called(object)}: nobody uses it`);
}

function stringsIn({ metadata, spec }) {
  const visit = (value) => (typeof value === 'string' ? [value] : value && typeof value === 'object' ? Object.values(value).flatMap(visit) : []);
  return [...visit(spec), ...visit(metadata.annotations)];
}

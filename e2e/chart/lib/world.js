'use strict';
// What is in a namespace after a rendering was applied: what was rendered, what operators make of it, and what users brought.

const yaml = require('yaml');
const { podsOf } = require('./pods');

const CNPG = 'postgresql.cnpg.io';
const RABBITMQ = 'rabbitmq.com';

/** Every string of a tree. */
function stringsOf(value) {
  if (typeof value === 'string') return [value];
  if (value && typeof value === 'object') return Object.values(value).flatMap(stringsOf);
  return [];
}

/** The labels that the controller of StatefulSets gives to each of its pods, beside those of the template. */
function numbered({ owner }) {
  if (owner.kind !== 'StatefulSet') return [{}];
  return Array.from({ length: owner.spec.replicas ?? 1 }, (_, index) => ({
    'statefulset.kubernetes.io/pod-name': `${owner.metadata.name}-${index}`, 'apps.kubernetes.io/pod-index': String(index),
  }));
}

class World {
  constructor(chart, objects, { values, files }) {
    this.objects = objects;
    // Whatever name users give in their values is theirs to bring along.
    this.brought = new Set([values, ...files.map((file) => yaml.parse(chart.read(file)))].flatMap(stringsOf));
    this.pods = podsOf(objects).flatMap((pod) => numbered(pod).map((labels) => ({ ...pod, labels: { ...pod.metadata.labels, ...labels } })));
    this.made = new Set();
    for (const object of objects) this.#operators(object);
  }

  /** What operators make of an object, by the names that they document. */
  #operators({ apiVersion, kind, metadata, spec }) {
    const { name } = metadata;
    const make = (of, names) => names.forEach((each) => this.made.add(`${of}/${each}`));
    if (apiVersion.startsWith(CNPG) && kind === 'Cluster') {
      make('Secret', [`${name}-app`, `${name}-superuser`, `${name}-ca`, `${name}-server`]);
      make('Service', [`${name}-rw`, `${name}-ro`, `${name}-r`]);
      this.#pod(name, { 'cnpg.io/cluster': name, 'cnpg.io/podRole': 'instance', 'cnpg.io/instanceRole': 'primary', ...spec.inheritedMetadata?.labels },
        [['postgresql', 5432], ['metrics', 9187], ['status', 8000]]);
    }
    if (apiVersion.startsWith(RABBITMQ) && kind === 'RabbitmqCluster') {
      make('Secret', [`${name}-default-user`, `${name}-erlang-cookie`]);
      make('Service', [name, `${name}-nodes`]);
      this.#pod(name, { 'app.kubernetes.io/name': name, 'app.kubernetes.io/component': 'rabbitmq', 'app.kubernetes.io/part-of': 'rabbitmq' },
        [['amqp', 5672], ['amqps', 5671], ['management', 15672], ['prometheus', 15692], ['epmd', 4369], ['clustering', 25672]]);
    }
    if (kind === 'Certificate') make('Secret', [spec.secretName]);
    // cert-manager makes the Secrets of what carries one of its annotations.
    const annotated = Object.keys(metadata.annotations ?? {}).some((each) => each.startsWith('cert-manager.io/'));
    if (annotated && kind === 'Ingress') make('Secret', (spec.tls ?? []).map(({ secretName }) => secretName));
    if (annotated && kind === 'Gateway') make('Secret', spec.listeners.flatMap(({ tls }) => (tls?.certificateRefs ?? []).map((ref) => ref.name)));
  }

  #pod(name, labels, ports) {
    const containers = [{ name, ports: ports.map(([port, containerPort]) => ({ name: port, containerPort })) }];
    this.pods.push({ name: `pods of ${name}`, labels, spec: { containers }, operator: true });
  }

  find(kind, name) {
    return this.objects.find((object) => object.kind === kind && object.metadata.name === name);
  }

  /** Whether an object of this name is there. */
  has(kind, name) {
    return Boolean(this.find(kind, name)) || this.made.has(`${kind}/${name}`) || this.brought.has(name);
  }
}

module.exports = { World };

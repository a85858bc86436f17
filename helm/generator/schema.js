'use strict';
// The schema of values, in draft 7, which both Helm 3 and Helm 4 read. Everything is closed: a misspelt key is refused. What
// Kubernetes itself defines (resources, probes, tolerations …) is held to the strict definitions of its newest supported version.

const fs = require('node:fs');
const path = require('node:path');

const VERSION = 'v1.37.0-local-strict';
const api = (name) => ({ $ref: `#/definitions/io.k8s.api.${name}` });
const strings = { type: 'object', additionalProperties: { type: 'string' } };
const list = (items) => ({ type: 'array', items });

/** Values that mean the same wherever they stand, by their names. */
const BY_NAME = {
  resources: api('core.v1.ResourceRequirements'),
  securityContext: api('core.v1.SecurityContext'),
  podSecurityContext: api('core.v1.PodSecurityContext'),
  strategy: api('apps.v1.DeploymentStrategy'),
  updateStrategy: api('apps.v1.StatefulSetUpdateStrategy'),
  behavior: api('autoscaling.v2.HorizontalPodAutoscalerBehavior'),
  affinity: api('core.v1.Affinity'),
  rules: list(api('rbac.v1.PolicyRule')),
  tolerations: list(api('core.v1.Toleration')),
  topologySpreadConstraints: list(api('core.v1.TopologySpreadConstraint')),
  extraEnv: list(api('core.v1.EnvVar')),
  extraEnvFrom: list(api('core.v1.EnvFromSource')),
  extraVolumes: list(api('core.v1.Volume')),
  extraVolumeMounts: list(api('core.v1.VolumeMount')),
  nodeSelector: strings,
  annotations: strings,
  labels: strings,
  podAnnotations: strings,
  podLabels: strings,
  commonLabels: strings,
  commonAnnotations: strings,
};

/** A probe without its handler, wherever it stands below `probes`. */
const PROBE = api('core.v1.Probe');

/** schemaOf(readValues(…)) */
function schemaOf({ root }) {
  const schema = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Values of the chart agenticai. Made by helm/generate from the comments of values.yaml.',
    ...objectOf(root),
  };
  // As a part of another chart it is given that chart's `global` as a whole, and what switches it on.
  schema.properties.global.additionalProperties = true;
  schema.properties.enabled = { type: 'boolean', description: 'Whether a chart that has this one as a part installs it.' };
  schema.properties.tags = { type: 'object', description: 'Switches of a chart that has this one as a part.' };
  schema.definitions = definitionsOf(schema);
  return schema;
}

function objectOf(node) {
  return {
    type: 'object',
    ...(node.note ? { description: node.note } : {}),
    properties: Object.fromEntries(node.children.map((child) => [child.key, nodeSchema(child)])),
    additionalProperties: false,
  };
}

function nodeSchema(node) {
  let inferred;
  const known = node.path.at(-2) === 'probes' ? PROBE : BY_NAME[node.key];
  if (known && fits(known, node.value)) inferred = known.$ref ? { allOf: [known] } : known;
  else if (node.children.length) inferred = objectOf(node);
  else inferred = inferredOf(node.value, node);
  const schema = { ...inferred, ...(node.description ? { description: node.description } : {}), ...node.schema };
  if (node.value === null && schema.type) schema.type = [...new Set([schema.type, 'null'].flat())];
  return schema;
}

/** Whether a name's usual meaning fits the default: `labels` may be a list somewhere. */
const fits = (known, value) => (known.type === 'array') === Array.isArray(value) && typeof value === 'object';

/** What a default tells of its type. */
function inferredOf(value, node) {
  if (Array.isArray(value)) return { type: 'array', items: itemsOf(value, node) };
  if (value === null) {
    if (!node.schema?.type && !node.schema?.anyOf && !node.schema?.$ref) {
      throw new Error(`${node.path.join('.')} is null: say what it may be, as in # @schema {"type": ["integer", "null"]}`);
    }
    return {};
  }
  if (typeof value === 'object') return mapOf(value, node);
  if (Number.isInteger(value)) {
    return /port$/i.test(node.key ?? '')
      ? { type: 'integer', minimum: 1, maximum: 65535 }
      : { type: 'integer', minimum: 0, maximum: 2147483647 };
  }
  if (typeof value === 'number') return { type: 'number', minimum: 0 };
  return { type: typeof value };
}

/** A mapping inside of a list is closed; an empty one is free. */
function mapOf(value, node) {
  const keys = Object.keys(value);
  if (!keys.length) return { type: 'object' };
  const properties = Object.fromEntries(keys.map((key) => [key, inferredOf(value[key], { path: [...node.path, key], key })]));
  return { type: 'object', properties, additionalProperties: false };
}

/** What the members of a default list have in common; an empty list is one of strings, unless its @schema says otherwise. */
function itemsOf(members, node) {
  if (!members.length) return { type: 'string' };
  const schemas = members.map((member, index) => inferredOf(member, { path: [...node.path, index], key: '' }));
  if (schemas.every(({ type }) => type === 'object')) {
    return { type: 'object', properties: Object.assign({}, ...schemas.map(({ properties }) => properties)), additionalProperties: false };
  }
  const types = [...new Set(schemas.map(({ type }) => type))];
  return types.length === 1 ? schemas[0] : { type: types };
}

/** The definitions of Kubernetes that a schema refers to, with those that these refer to, without their long texts. */
function definitionsOf(schema) {
  const file = path.join(process.env.KUBERNETES_SCHEMAS, VERSION, '_definitions.json');
  const all = JSON.parse(fs.readFileSync(file, 'utf8')).$defs;
  const found = {};
  const visit = (part) => {
    for (const [, name] of JSON.stringify(part).matchAll(/"\$ref":\s*"#\/definitions\/([^"]+)"/g)) {
      if (found[name]) continue;
      if (!all[name]) throw new Error(`Kubernetes has no definition ${name}`);
      found[name] = plain(all[name]);
      visit(found[name]);
    }
  };
  visit(schema);
  return Object.fromEntries(Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function plain(part, below = '') {
  if (Array.isArray(part)) return part.map((each) => plain(each));
  if (part === null || typeof part !== 'object') return part;
  const entries = Object.entries(part).filter(([key]) => below === 'properties' || !(key === 'description' || key.startsWith('x-')));
  return Object.fromEntries(
    entries.map(([key, value]) => [key, key === '$ref' ? value.replace('#/$defs/', '#/definitions/') : plain(value, key)]),
  );
}

module.exports = { schemaOf };

'use strict';

const { axesOf, casesOf, valuesOf } = require('../lib/matrix');
const { withValue, merged } = require('../lib/chart');
const { Samples } = require('../lib/samples');
const { UNSEEN, CONTEXTS } = require('../exceptions');

exports.title = 'every value is read: changing any of them changes what is rendered';

/** How many values are asked at least; a mistake in this check must not look like success. */
const LEAST = 250;

exports.findings = async (chart, cases = casesOf(chart), only = () => true) => {
  const schema = JSON.parse(chart.read('values.schema.json'));
  const samples = new Samples(schema);
  const values = leaves(schema, chart.values, samples).filter(({ path }) => only(path.join('.')));
  const findings = await Promise.all(values.map((leaf) => ofLeaf(chart, leaf, samples)));
  console.log(`  ${values.length} values were changed, one at a time`);
  if (values.length < LEAST && only('')) findings.push([`only ${values.length} values were looked at`]);
  const names = new Set(values.map(({ path }) => path.join('.')));
  const idle = only('') ? Object.keys(UNSEEN).filter((name) => !names.has(name)).map((name) => `${name} is an exception, and no value`) : [];
  return [...findings.flat(), ...idle];
};

/** Every scalar, list and free map, with its schema; what Kubernetes defines is looked into as deep as the defaults go. */
function leaves(schema, values, samples, path = []) {
  return Object.entries(values).flatMap(([key, value]) => {
    const part = schema.properties?.[key] ?? (typeof schema.additionalProperties === 'object' ? schema.additionalProperties : {});
    const whole = samples.resolve(part);
    const inner = value !== null && typeof value === 'object' && !Array.isArray(value) && Object.keys(value).length > 0;
    return inner ? leaves(whole, value, samples, [...path, key]) : [{ path: [...path, key], part, value }];
  });
}

async function ofLeaf(chart, { path, part, value }, samples) {
  const name = path.join('.');
  const others = samples.others(part, value, path.at(-1));
  if (!others.length) return [`${name}: the test knows no other value that its schema allows`];
  const refused = [];
  for (const context of contextsOf(chart, path)) {
    const before = await chart.render({ values: context });
    if (!before.ok) continue;
    for (const other of others) {
      const after = await chart.render({ values: withValue(context, path, other) });
      if (!after.ok) refused.push(after.error.trim().split('\n').at(-1));
      else if (after.text !== before.text) return UNSEEN[name] ? [`${name} is an exception, and its change is seen`] : [];
    }
  }
  if (UNSEEN[name]) return [];
  return [`${name}: nothing that is rendered changes with it${refused.length ? `; some values are refused: ${refused[0]}` : ''}`];
}

const contexts = new WeakMap();

/**
 * The values in which a value is tried: the defaults, then the choices that stand nearest to it (for redis.external.url the
 * mode `external` before others), alone and together.
 */
function contextsOf(chart, path) {
  if (!contexts.has(chart)) {
    contexts.set(chart, axesOf(chart).flatMap((axis) => axis.options.slice(1).map((option) => ({ axis, option, values: valuesOf([{ axis, option }]) }))));
  }
  const special = Object.entries(CONTEXTS).filter(([prefix]) => `${path.join('.')}.`.startsWith(`${prefix}.`)).map(([, values]) => values);
  const near = contexts.get(chart).filter(({ axis }) => axis.path[0] === path[0]);
  const shared = ({ axis }) => axis.path.findIndex((key, at) => key !== path[at]);
  const named = ({ option }) => (path.includes(String(option.value)) ? 1 : 0);
  const ordered = [...near].sort((a, b) => named(b) - named(a) || shared(b) - shared(a)).map(({ values }) => values);
  const switches = near.filter(({ axis, option }) => option.value === true && path.slice(0, -1).join('.').startsWith(axis.path.slice(0, -1).join('.')));
  const all = switches.length > 1 ? [switches.map(({ values }) => values).reduce(merged)] : [];
  return [...special, {}, ...all, ...ordered];
}

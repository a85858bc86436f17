'use strict';

const { axesOf, casesOf, valuesOf } = require('../lib/matrix');
const { withValue, merged } = require('../lib/chart');
const { renderMany } = require('../lib/many');
const { Samples } = require('../lib/samples');
const { UNSEEN, CONTEXTS } = require('../exceptions');

exports.title = 'every value is read: changing any of them changes what is rendered';

/** How many values are asked at least; a mistake in this check must not look like success. */
const LEAST = 250;

/** Other values of one value that are tried in each context after the first. */
const OTHERS = 4;

exports.findings = async (chart, cases = casesOf(chart), only = () => true) => {
  const schema = JSON.parse(chart.read('values.schema.json'));
  const samples = new Samples(schema);
  const values = leaves(schema, chart.values, samples).filter(({ path }) => only(path.join('.')));
  const unseen = await unseenOf(chart, values, samples);
  const findings = await Promise.all(unseen.map((leaf) => closer(chart, leaf, samples)));
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

/**
 * The values whose change is seen in no rendering. Each round tries what is left in the next of its contexts, with every
 * other value that the test knows. Guards are not asked here.
 */
async function unseenOf(chart, values, samples) {
  let left = values;
  for (let round = 0; left.length; round += 1) {
    const tries = left.map((leaf) => {
      const context = contextsOf(chart, leaf.path)[round];
      const others = samples.others(leaf.part, leaf.value, leaf.path.at(-1)).slice(0, round === 0 ? 1 : OTHERS);
      return { leaf, context, changed: context ? others.map((other) => withValue(context, leaf.path, other)) : [] };
    });
    if (!tries.some(({ context }) => context)) break;
    const sets = [...new Set(tries.map(({ context }) => context).filter(Boolean)), ...tries.flatMap(({ changed }) => changed)];
    const rendered = await renderMany(chart, sets);
    const textOf = new Map(sets.map((set, index) => [set, rendered[index]]));
    left = tries.filter(({ context, changed }) => !changed.some((set) => textOf.get(set) !== null && textOf.get(set) !== textOf.get(context))).map(({ leaf }) => leaf);
  }
  return left;
}

/** What is seen in no rendering may be read by a guard alone: then its change is refused, with a guard's sentence. */
async function closer(chart, { path, part, value }, samples) {
  const name = path.join('.');
  const others = samples.others(part, value, path.at(-1));
  if (!others.length) return [`${name}: the test knows no other value that its schema allows`];
  for (const other of others.slice(0, OTHERS)) {
    const { ok, error } = await chart.render({ values: withValue({}, path, other) });
    if (!ok && /These values cannot work/.test(error)) return [];
  }
  return UNSEEN[name] ? [] : [`${name}: nothing that is rendered changes with it`];
}

const contexts = new WeakMap();
const DEFAULTS = {};

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
  return [...special, DEFAULTS, ...all, ...ordered];
}

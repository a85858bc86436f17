'use strict';
// The values that the chart is rendered with: its defaults, each choice alone, every two choices together, and the files
// values-*.yaml. What can be chosen is read from the schema (a mode, an owner, a switch), so a new feature is in the matrix as
// soon as it has a value.

const fs = require('node:fs');
const { withValue, merged } = require('./chart');
const { COMPANIONS, IMPOSSIBLE } = require('../choices');

const isSwitch = (key) => key === 'enabled' || key === 'create';
const isMode = (key) => key === 'mode' || key === 'owner' || key === 'kind';

/** The schema's single values: {path, schema}. */
function leavesOf(schema, at = []) {
  return Object.entries(schema.properties ?? {}).flatMap(([key, part]) =>
    part.properties ? leavesOf(part, [...at, key]) : [{ path: [...at, key], schema: part }]);
}

/** What can be chosen: {name, path, options: [{label, value}]}; the default is the first option. */
function axesOf(chart) {
  const schema = JSON.parse(chart.read('values.schema.json'));
  const { values } = chart;
  return leavesOf(schema).flatMap(({ path, schema: part }) => {
    const key = path.at(-1);
    const standard = path.reduce((inner, step) => inner?.[step], values);
    const name = path.join('.');
    if (path.length < 2 || standard === undefined) return [];
    const others = isMode(key) && part.enum ? part.enum : isSwitch(key) && part.type === 'boolean' ? [true, false] : [];
    if (!others.length) return [];
    const options = [standard, ...others.filter((value) => value !== standard)].map((value) => ({ label: `${name}=${value}`, value }));
    return [{ name, path, options }];
  });
}

/** The values of chosen options, with what each of them needs beside it. */
function valuesOf(chosen) {
  return chosen.reduce((values, { axis, option }) => {
    const needs = COMPANIONS[option.label] ?? {};
    return merged(withValue(values, axis.path, option.value), needs);
  }, {});
}

const excluded = (labels) => IMPOSSIBLE.some((pair) => pair.every((label) => labels.has(label)));

/** The cases: {name, values, files}. */
function casesOf(chart) {
  const axes = axesOf(chart);
  const singles = axes.flatMap((axis) => axis.options.slice(1).map((option) => ({
    name: option.label, values: valuesOf([{ axis, option }]), files: [],
  })));
  const files = fs.readdirSync(chart.dir).filter((file) => /^values-.*\.yaml$/.test(file)).sort();
  return [
    { name: 'defaults', values: {}, files: [] },
    ...singles,
    ...files.map((file) => ({ name: file, values: {}, files: [file] })),
    ...pairwise(axes).map((chosen, index) => ({
      name: `pairs ${index + 1} (${chosen.filter(({ axis, option }) => option !== axis.options[0]).map(({ option }) => option.label).join(', ')})`,
      values: valuesOf(chosen),
      files: [],
    })),
  ];
}

/**
 * Rows in which every two options of two axes stand together at least once, by the usual greedy way: the first pair that is
 * missing, then for each axis the option that covers most of what is missing.
 */
function pairwise(axes) {
  const missing = new Map();
  const keyOf = (a, b) => (a < b ? `${a} ${b}` : `${b} ${a}`);
  axes.forEach((first, i) => axes.slice(i + 1).forEach((second) => {
    for (const a of first.options) for (const b of second.options) {
      if (!excluded(new Set([a.label, b.label]))) missing.set(keyOf(a.label, b.label), [a.label, b.label]);
    }
  }));
  const rows = [];
  while (missing.size) {
    const [wanted] = missing.values();
    const chosen = new Map();
    const labels = new Set();
    const choose = (axis, option) => { chosen.set(axis, option); labels.add(option.label); };
    for (const axis of axes) {
      const option = axis.options.find(({ label }) => wanted.includes(label));
      if (option) choose(axis, option);
    }
    for (const axis of axes) {
      if (chosen.has(axis)) continue;
      const gain = (option) => [...labels].filter((label) => missing.has(keyOf(label, option.label))).length;
      const allowed = axis.options.filter((option) => !excluded(new Set([...labels, option.label])));
      if (!allowed.length) throw new Error(`no option of ${axis.name} goes with ${[...labels].join(', ')}`);
      choose(axis, allowed.reduce((best, option) => (gain(option) > gain(best) ? option : best)));
    }
    const before = missing.size;
    const all = [...labels];
    all.forEach((a, i) => all.slice(i + 1).forEach((b) => missing.delete(keyOf(a, b))));
    if (missing.size === before) missing.delete(keyOf(...wanted));
    rows.push(axes.map((axis) => ({ axis, option: chosen.get(axis) })));
  }
  return rows;
}

module.exports = { casesOf, axesOf, valuesOf, leavesOf };

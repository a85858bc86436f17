'use strict';
// The values that the chart is rendered with: its defaults, each choice alone, every two choices together, and the files
// values-*.yaml. What can be chosen is read from the schema (a mode, an owner, a switch), so a new feature is in the matrix as
// soon as it has a value.

const fs = require('node:fs');
const { withValue, merged } = require('./chart');
const { COMPANIONS, IMPOSSIBLE, FURTHER } = require('../choices');

const isSwitch = (key) => ['enabled', 'create', 'createIssuer', 'ambient'].includes(key);
const isMode = (key, above) => ['mode', 'owner', 'provider'].includes(key) || (key === 'type' && above === 'storage');

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
    const others = isMode(key, path.at(-2)) && part.enum && standard !== '' ? part.enum : isSwitch(key) && part.type === 'boolean' ? [true, false] : [];
    if (!others.length) return [];
    const options = [standard, ...others.filter((value) => value !== standard)].map((value) => ({ label: `${name}=${value}`, value }));
    return [{ name, path, options }];
  });
}

/** The values of chosen options, with what each of them needs beside it. */
function valuesOf(chosen) {
  const labels = chosen.map(({ option }) => option.label);
  return chosen.reduce((values, { axis, option }) =>
    merged(withValue(values, axis.path, option.value), COMPANIONS[option.label]?.(labels) ?? {}), {});
}

const excluded = (labels) => IMPOSSIBLE.some((together) => together.every((label) => labels.has(label)));

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
    ...FURTHER.map((each) => ({ ...each, files: [] })),
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
 * missing, then for each axis the option that covers most of what is missing and is possible with the others.
 */
function pairwise(axes) {
  const keyOf = (a, b) => (a < b ? `${a} ${b}` : `${b} ${a}`);
  const missing = new Map();
  axes.forEach((first, i) => axes.slice(i + 1).forEach((second) => {
    for (const a of first.options) for (const b of second.options) missing.set(keyOf(a.label, b.label), [a.label, b.label]);
  }));
  const cover = (labels) => labels.forEach((a, i) => labels.slice(i + 1).forEach((b) => missing.delete(keyOf(a, b))));
  const rows = [];
  while (missing.size) {
    const [wanted] = missing.values();
    const row = completed(axes, wanted, (a, b) => missing.has(keyOf(a, b)));
    if (row) rows.push(row);
    cover(row ? row.map(({ option }) => option.label) : wanted);
  }
  return rows;
}

/** A row with the wanted pair, or null where nothing possible has it. */
function completed(axes, wanted, isMissing) {
  const fixed = axes.filter((axis) => axis.options.some(({ label }) => wanted.includes(label)));
  const order = [...fixed, ...axes.filter((axis) => !fixed.includes(axis))];
  const choose = (at, chosen) => {
    if (at === order.length) return axes.map((axis) => ({ axis, option: chosen.get(axis) }));
    const labels = [...chosen.values()].map(({ label }) => label);
    const gain = (option) => labels.filter((label) => isMissing(label, option.label)).length;
    const options = fixed.includes(order[at]) ? order[at].options.filter(({ label }) => wanted.includes(label)) : [...order[at].options].sort((a, b) => gain(b) - gain(a));
    for (const option of options) {
      if (excluded(new Set([...labels, option.label]))) continue;
      const row = choose(at + 1, new Map(chosen).set(order[at], option));
      if (row) return row;
    }
    return null;
  };
  return choose(0, new Map());
}

module.exports = { casesOf, axesOf, valuesOf, leavesOf };

'use strict';
// Renders a chart with many sets of values by one process, where starting Helm would cost most of the time: as parts of one
// chart above, each under a name of its own. Only for comparing: names, and the hashes that follow from them, are evened out.

const fs = require('node:fs');
const path = require('node:path');
const yaml = require('yaml');
const { Chart } = require('./chart');

const AT_ONCE = 40;
const nameOf = (index) => `v${String(index).padStart(3, '0')}`;

/** A chart that has AT_ONCE copies of this one as its parts, without guards and schema, which would refuse all for one. */
function above(chart) {
  const inner = chart.copy();
  inner.write('templates/validations.yaml', '');
  fs.rmSync(path.join(inner.dir, 'values.schema.json'), { force: true });
  const { name, version } = yaml.parse(chart.read('Chart.yaml'));
  const whole = new Chart(path.dirname(inner.dir));
  fs.mkdirSync(path.join(whole.dir, 'charts'));
  fs.renameSync(inner.dir, path.join(whole.dir, 'charts', name));
  const dependencies = Array.from({ length: AT_ONCE }, (_, index) => ({ name, version, alias: nameOf(index), condition: `${nameOf(index)}.enabled` }));
  whole.write('Chart.yaml', yaml.stringify({ apiVersion: 'v2', name: 'above', version: '1.0.0', dependencies }));
  return whole;
}

const wholes = new WeakMap();

/** renderMany(CHART, [values, …]): for each what it renders to, evened out; null where it does not render. */
async function renderMany(chart, sets) {
  if (!wholes.has(chart)) wholes.set(chart, above(chart));
  const parts = [];
  for (let at = 0; at < sets.length; at += AT_ONCE) parts.push(sets.slice(at, at + AT_ONCE));
  return (await Promise.all(parts.map((part) => renderPart(wholes.get(chart), part)))).flat();
}

async function renderPart(whole, sets) {
  const values = Object.fromEntries(Array.from({ length: AT_ONCE }, (_, index) =>
    [nameOf(index), index < sets.length ? { ...sets[index], enabled: true } : { enabled: false }]));
  const { ok, text } = await whole.render({ values });
  if (ok) return sets.map((_, index) => evened(text, nameOf(index)));
  if (sets.length === 1) return [null];
  // One of them does not render: the others are not to suffer for it.
  const half = Math.ceil(sets.length / 2);
  return (await Promise.all([renderPart(whole, sets.slice(0, half)), renderPart(whole, sets.slice(half))])).flat();
}

function evened(text, name) {
  const own = text.split(/^---\n/m).filter((part) => part.startsWith(`# Source: above/charts/${name}/`));
  return own.map((part) => part.trim().replaceAll(name, 'part').replace(/\b[0-9a-f]{64}\b/g, 'hash').replace(/-[0-9a-f]{10}$/gm, '-hash')).sort().join('\n---\n');
}

module.exports = { renderMany };

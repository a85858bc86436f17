'use strict';

const { IMPOSSIBLE } = require('../choices');
const { casesOf, axesOf, valuesOf } = require('../lib/matrix');

exports.title = 'every case of the matrix renders, to the same with Helm 4 and Helm 3';

exports.findings = async (chart, cases = casesOf(chart)) => {
  console.log(`  ${cases.length} cases`);
  const compared = await Promise.all(cases.map(async (each) => {
    const [four, three] = await Promise.all(['helm', 'helm3'].map((helm) => chart.render({ values: each.values, files: each.files, ...(helm === 'helm3' ? { helm } : {}) })));
    if (!four.ok) return [`${each.name}: ${four.error.trim()}`];
    if (!three.ok) return [`${each.name}, Helm 3: ${three.error.trim()}`];
    const line = firstDifference(ordered(four.text), ordered(three.text));
    return line ? [`${each.name}: Helm 4 renders \`${line[0]}\`, Helm 3 \`${line[1]}\``] : [];
  }));
  return [...compared.flat(), ...(await possible(chart))];
};

/** Helm 3 and 4 need not write objects in the same order. */
const ordered = (text) => text.split(/^---\n/m).map((part) => part.trim()).filter(Boolean).sort().join('\n---\n').split('\n');

function firstDifference(four, three) {
  const index = four.findIndex((line, at) => line !== three[at]);
  if (index >= 0) return [four[index], three[index]];
  return four.length === three.length ? null : ['(nothing)', three[four.length]];
}

/** What the matrix leaves out as impossible has to be refused. */
async function possible(chart) {
  const axes = axesOf(chart);
  const found = await Promise.all(IMPOSSIBLE.map(async (together) => {
    const chosen = together.map((label) => axes.flatMap((axis) => axis.options.map((option) => ({ axis, option }))).find(({ option }) => option.label === label));
    if (chosen.includes(undefined)) return [`${together.join(' with ')} is left out of the matrix, and there is no such choice`];
    const { ok } = await chart.render({ values: valuesOf(chosen) });
    return ok ? [`${together.join(' with ')} is left out of the matrix as impossible, and renders`] : [];
  }));
  return found.flat();
}

'use strict';

const path = require('node:path');
const { casesOf } = require('../lib/matrix');
const { run } = require('../lib/chart');
const { podsOf, containersOf } = require('../lib/pods');

exports.title = 'helm/images prints each image once, and all of them';

exports.findings = async (chart, cases = casesOf(chart).filter(({ name, files }) => name === 'defaults' || files.length || name.startsWith('pairs'))) => {
  const found = await Promise.all(cases.map(async ({ name, values, files }) => {
    const { ok, error, objects } = await chart.render({ values, files });
    if (!ok) return [`${name}: ${error}`];
    const expected = [...new Set([...podsOf(objects).flatMap(containersOf).map(({ container }) => container.image), ...objects.flatMap(imagesOfOperators)])].sort();
    const chosen = files.flatMap((file) => ['--values', path.join(chart.dir, file)]);
    const set = Object.entries(values).flatMap(([key, value]) => ['--set-json', `${key}=${JSON.stringify(value)}`]);
    const { code, stdout, stderr } = await run(path.join(__dirname, '../../../helm/images'), [...chosen, ...set], {
      env: { ...process.env, PATH: `${process.env.HELM_TOOLS}:${process.env.PATH}`, CHART: chart.dir },
    });
    if (code !== 0) return [`${name}: helm/images fails: ${stderr}`];
    const printed = stdout.trim().split('\n');
    return [
      ...expected.filter((image) => !printed.includes(image)).map((image) => `${image} is not printed`),
      ...printed.filter((image) => !expected.includes(image)).map((image) => `${image} is printed, and nobody uses it`),
      ...printed.filter((image, at) => printed.indexOf(image) !== at).map((image) => `${image} is printed twice`),
    ].map((finding) => `${finding} (${name})`);
  }));
  return found.flat();
};

/** Custom resources from which an operator makes pods. */
function imagesOfOperators({ kind, spec }) {
  if (kind === 'Cluster') return [spec.imageName].filter(Boolean);
  if (kind === 'RabbitmqCluster') return [spec.image].filter(Boolean);
  return [];
}

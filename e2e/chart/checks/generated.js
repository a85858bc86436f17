'use strict';

const fs = require('node:fs');
const path = require('node:path');
const Ajv = require('ajv');
const yaml = require('yaml');
const { generate, stale } = require('../../../helm/generator/main');
const { leavesOf } = require('../lib/matrix');
const { Chart, withValue } = require('../lib/chart');

const LEAST = 200;

exports.title = 'schema and table of values are those of values.yaml, closed, and fit for a part of another chart';

exports.findings = async (chart) => {
  const { count, leaves } = generate(chart.dir);
  console.log(`  ${count} values with a description, ${leaves} single settings`);
  const findings = stale(chart.dir).map((name) => `${name} does not match values.yaml: run helm/generate`);
  if (count <= LEAST) findings.push(`there are ${count} values; more than ${LEAST} are asked for`);
  const schema = JSON.parse(chart.read('values.schema.json'));
  const validate = new Ajv({ strict: false, validateFormats: false }).compile(schema);
  if (!validate(chart.values)) findings.push(`the defaults do not fit: ${new Ajv().errorsText(validate.errors)}`);
  findings.push(...missing(chart.values, schema), ...open(schema, validate));
  for (const helm of ['helm', 'helm3']) findings.push(...(await asHelmSeesIt(chart, helm)));
  return findings;
};

/** Values that the schema does not name. */
function missing(values, schema, at = []) {
  return Object.entries(values).flatMap(([key, value]) => {
    const part = schema.properties?.[key];
    if (!part) return [`${[...at, key].join('.')} is not in the schema`];
    return part.properties && value && typeof value === 'object' && !Array.isArray(value) ? missing(value, part, [...at, key]) : [];
  });
}

/** Mappings that accept a key that nobody reads. */
function open(schema, validate) {
  const parents = new Set(leavesOf(schema).map(({ path: at }) => JSON.stringify(at.slice(0, -1))));
  parents.delete('["global"]');
  return [...parents].map((at) => JSON.parse(at)).filter((at) => validate(withValue({}, [...at, 'misspelt'], 1)))
    .map((at) => `${[...at, 'misspelt'].join('.')} is accepted`);
}

async function asHelmSeesIt(chart, helm) {
  const findings = [];
  const accepted = await chart.render({ helm, values: { enabled: true, tags: { all: true }, global: { others: { own: 1 } } } });
  if (!accepted.ok) findings.push(`${helm}: global, enabled or tags of a chart above is refused: ${accepted.error}`);
  const refused = [
    [{ worker: { replicas: 3 } }, /replicas/],
    [{ config: { server: { port: 70000 } } }, /port/],
    [{ api: { extraEnv: [{ nam: 'A' }] } }, /nam/],
    [{ redis: { mode: 'sentinels' } }, /mode/],
  ];
  for (const [values, says] of refused) {
    const { ok, error } = await chart.render({ helm, values });
    if (ok || !says.test(error)) findings.push(`${helm} does not refuse ${JSON.stringify(values)}`);
  }
  const above = chart.copy();
  const parent = path.dirname(above.dir);
  const { name, version } = yaml.parse(chart.read('Chart.yaml'));
  above.write('../Chart.yaml', yaml.stringify({
    apiVersion: 'v2', name: 'above', version: '1.0.0', dependencies: [{ name, version, condition: 'agenticai.enabled' }],
  }));
  fs.mkdirSync(path.join(parent, 'charts'));
  fs.renameSync(above.dir, path.join(parent, 'charts', name));
  const whole = new Chart(parent);
  const on = await whole.render({ helm, values: { global: { x: 1 }, agenticai: { enabled: true } } });
  if (!on.ok || !on.objects.length) findings.push(`${helm}: as a part of another chart it does not render: ${on.error}`);
  const off = await whole.render({ helm, values: { agenticai: { enabled: false } } });
  if (!off.ok || off.objects.length) findings.push(`${helm}: agenticai.enabled=false of a chart above does not switch it off`);
  return findings;
}

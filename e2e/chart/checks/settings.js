'use strict';

const fs = require('node:fs');
const { casesOf } = require('../lib/matrix');
const { overCases } = require('../lib/check');
const { run } = require('../lib/chart');
const { DELIBERATE } = require('../exceptions');

const LEAST = 40;
const BINARY = process.env.AGENTICAI_BIN;

exports.title = `the ConfigMap has ${LEAST} settings or more, the program reads every one, and defaults of both are the same`;

exports.findings = async (chart, cases = casesOf(chart)) => {
  if (!BINARY || !fs.existsSync(BINARY)) return [`there is no program at ${BINARY}: build it with cargo, or set AGENTICAI_BIN`];
  const maps = new Map();
  const findings = await overCases(chart, cases, (objects, { name }) => {
    const data = objects.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.labels['app.kubernetes.io/component'] === 'config')?.data;
    if (!data) return ['there is no ConfigMap of settings'];
    const key = JSON.stringify(data);
    if (!maps.has(key)) maps.set(key, { name, data });
    return [];
  });
  const [standard] = maps.values();
  const own = await shown({});
  if (!own.settings) return [...findings, `the program does not show its settings: ${own.error}`];
  const count = Object.keys(standard.data).length;
  console.log(`  ${count} settings in the ConfigMap of the defaults, ${maps.size} different ConfigMaps`);
  if (count < LEAST) findings.push(`the ConfigMap has ${count} settings; ${LEAST} are asked for`);
  for (const { name, data } of maps.values()) findings.push(...(await judged(data)).map((wrong) => `${wrong} (${name})`));
  return [...new Set([...findings, ...differing(standard.data, own.settings)])];
};

/** `config show --json` with a ConfigMap as its environment, in a home of its own. */
async function shown(environment) {
  const { code, stdout, stderr } = await run(BINARY, ['config', 'show', '--json'], { env: { HOME: '/nonexistent', ...environment } });
  if (code !== 0) return { error: stderr || stdout };
  return { ...JSON.parse(stdout), settings: settingsOf(JSON.parse(stdout)) };
}

/** Settings by the name of their variable. */
function settingsOf(report) {
  const list = Array.isArray(report) ? report : (report.settings ?? []);
  return new Map(list.map((setting) => [variableOf(setting.setting ?? setting.name ?? setting.key), setting]));
}

const variableOf = (name) => `AGENTICAI_${name.toUpperCase().replaceAll('.', '_')}`;

async function judged(data) {
  const { AGENTICAI_CONFIG: file, ...environment } = data;
  const report = await shown(environment);
  if (!report.settings) return [`the program refuses the ConfigMap: ${report.error.trim()}`];
  const findings = Object.keys(environment).flatMap((name) => {
    const setting = report.settings.get(name);
    if (!setting) return [`${name} is in the ConfigMap, and the program has no such setting`];
    return JSON.stringify(setting).includes(name) ? [] : [`${name} is in the ConfigMap, and the program takes it from ${JSON.stringify(setting)}`];
  });
  const remarks = (report.remarks ?? []).filter((remark) => Object.keys(environment).some((name) => remark.includes(name)));
  return [...findings, ...remarks.map((remark) => `the program remarks: ${remark}`), ...(report.unknown ?? []).map((name) => `${JSON.stringify(name)} is unknown to the program`)];
}

/** A value as a variable holds it: `"text"` without its quotes, lists with commas. */
function plain(value) {
  try {
    return [JSON.parse(value)].flat().join(',');
  } catch {
    return String(value);
  }
}

/** Defaults of the chart that are not the program's, and not meant to differ. */
function differing(data, own) {
  return Object.entries(data).flatMap(([name, value]) => {
    const setting = own.get(name);
    if (!setting || DELIBERATE[name] || /(_URL|_FILE|_DIR|_DIRECTORY|_ENDPOINT)$/.test(name)) return [];
    const standard = plain(setting.value);
    return standard === value ? [] : [`${name} is ${value} in the chart and ${standard} in the program`];
  });
}

'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { run, TOOLS } = require('../lib/chart');

exports.title = 'helm lint --strict of Helm 4 and 3, with the defaults and each file of values; yamllint of all of them';

exports.findings = async (chart) => {
  const files = fs.readdirSync(chart.dir).filter((file) => /^values-.*\.yaml$/.test(file));
  const lints = ['helm', 'helm3'].flatMap((helm) => ['values.yaml', ...files].map(async (file) => {
    const { code, stdout, stderr } = await run(path.join(TOOLS, helm), ['lint', '--strict', '--quiet', chart.dir, '--values', path.join(chart.dir, file)]);
    return code === 0 ? [] : [`${helm} lint with ${file}: ${stdout}${stderr}`];
  }));
  const { code, stdout, stderr } = await run(path.join(process.env.CHART_VENV, 'bin/yamllint'), [
    '--strict', '--config-file', path.join(__dirname, '../yamllint.yaml'), ...['values.yaml', 'Chart.yaml', ...files].map((file) => path.join(chart.dir, file)),
  ]);
  const yamllint = code === 0 ? [] : [`yamllint: ${stdout}${stderr}`];
  return [...(await Promise.all(lints)).flat(), ...yamllint];
};

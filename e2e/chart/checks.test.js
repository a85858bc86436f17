'use strict';
// Every check of checks/ on the chart as it is.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { Chart } = require('./lib/chart');

const chart = new Chart(path.join(__dirname, '../../helm/agenticai'));
const wanted = (process.env.CHECKS ?? '').split(' ').filter(Boolean);
const names = fs.readdirSync(path.join(__dirname, 'checks')).map((file) => path.basename(file, '.js')).sort();

for (const name of wanted) assert.ok(names.includes(name), `there is no check ${name}; there are: ${names.join(' ')}`);
for (const name of wanted.length ? wanted : names) {
  const check = require(`./checks/${name}`);
  test(`${name}: ${check.title}`, async () => {
    const findings = await check.findings(chart);
    if (findings.length) {
      const error = new Error(`${findings.length} findings:\n  ${findings.slice(0, 40).join('\n  ')}`);
      error.stack = '';
      throw error;
    }
  });
}

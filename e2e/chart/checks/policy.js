'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { casesOf } = require('../lib/matrix');
const { run } = require('../lib/chart');
const { POLICY } = require('../exceptions');

exports.title = 'checkov finds nothing that is not explained';

const WANTED = ['defaults', 'postgresql.mode=cnpg', 'redis.mode=cluster', 'redis.mode=sentinel', 'chromadb.enabled=true', 'monitoringRoute.enabled=true', 'values-production.yaml'];

exports.findings = async (chart, cases = casesOf(chart).filter(({ name }) => WANTED.includes(name))) => {
  const dir = fs.mkdtempSync(path.join(chart.scratch, 'policy-'));
  const seen = new Set();
  for (const { name, values, files } of cases) {
    const { ok, error, text } = await chart.render({ values, files });
    if (!ok) return [`${name}: ${error}`];
    // What the cases have in common is scanned once.
    const parts = text.split(/^---.*$/m).filter((part) => part.trim() && !seen.has(part));
    parts.forEach((part) => seen.add(part));
    if (parts.length) fs.writeFileSync(path.join(dir, `${name.replace(/\W+/g, '-')}.yaml`), parts.join('\n---\n'));
  }
  const { stdout, stderr } = await run(process.env.CHECKOV, [
    '--directory', dir, '--framework', 'kubernetes', '--output', 'json', '--compact', '--quiet', '--skip-download', '--skip-results-upload',
  ], { env: { ...process.env, BC_SKIP_MAPPING: 'TRUE', CKV_IGNORE_HIDDEN_DIRECTORIES: 'false', LOG_LEVEL: 'ERROR' } });
  let report;
  try {
    report = JSON.parse(stdout);
  } catch {
    return [`checkov does not report: ${stderr || stdout}`];
  }
  const { summary, results } = report;
  if (!(summary?.resource_count > 0)) return ['checkov has looked at nothing'];
  console.log(`  checkov ${summary.checkov_version}: ${summary.passed} checks passed over ${summary.resource_count} objects`);
  const failed = results.failed_checks.map(({ check_id: id, check_name: title, resource, file_path: file }) => ({ id, text: `${id} ${title}: ${resource} in ${file}` }));
  const excused = ({ id, text }) => (POLICY[id] ?? []).some(({ where }) => where.test(text));
  const idle = Object.entries(POLICY).flatMap(([id, list]) => list.filter(({ where }) => cases.length > 1 && !failed.some((each) => each.id === id && where.test(each.text))).map(({ where }) => `the exception ${id} ${where} excuses nothing`));
  return [...new Set(failed.filter((each) => !excused(each)).map(({ text }) => text)), ...idle];
};

'use strict';

exports.title = 'the migration Job is no hook, has no TTL, goes first, and is named by image, spec and settings, and by nothing else';

const jobOf = async (chart, values, request = {}) => {
  const { ok, error, objects } = await chart.render({ values, ...request });
  if (!ok) throw new Error(error);
  const job = objects.find(({ kind, metadata }) => kind === 'Job' && metadata.labels['app.kubernetes.io/component'] === 'migration');
  if (!job) throw new Error(`there is no migration Job with ${JSON.stringify(values)}`);
  return job;
};

exports.findings = async (chart) => {
  const job = await jobOf(chart, {});
  const findings = [];
  const annotations = job.metadata.annotations ?? {};
  if (Object.keys(annotations).some((name) => name.startsWith('helm.sh/hook'))) findings.push('it is a hook');
  if ('ttlSecondsAfterFinished' in job.spec) findings.push('it has a TTL: GitOps would make it again for ever');
  if (annotations['argocd.argoproj.io/sync-wave'] !== '-1') findings.push('it is not in sync wave -1');
  const { name } = job.metadata;
  const others = [
    ['another image', { image: { tag: '9.9.9' } }], ['a digest', { image: { digest: `sha256:${'a'.repeat(64)}` } }],
    ['another spec', { migration: { backoffLimit: 9 } }], ['another setting', { config: { log: { level: 'debug' } } }],
    ['another database', { postgresql: { database: 'another' } }],
  ];
  for (const [what, values] of others) if ((await jobOf(chart, values)).metadata.name === name) findings.push(`${what} leaves its name as it is: the API server refuses the change`);
  const same = [
    ['another number of workers', { worker: { replicaCount: 3 } }, {}], ['other resources of the API', { api: { resources: { limits: { cpu: '3' } } } }, {}],
    ['annotations', { commonAnnotations: { 'example.com/owner': 'x' } }, {}], ['an upgrade', {}, { args: ['--is-upgrade'] }], ['a second look', {}, { args: ['--kube-version', '1.37.0'] }],
  ];
  for (const [what, values, request] of same) {
    const other = await jobOf(chart, values, request);
    if (other.metadata.name !== name) findings.push(`${what} makes another Job`);
  }
  // Whatever changes in its spec has to change the name, and the same name must never have two specs.
  const specs = new Map();
  const sets = [{}, ...others.map(([, values]) => values), ...same.map(([, values]) => values), { commonLabels: { 'example.com/team': 'x' } }, { global: { region: 'r' } }, { migration: { podLabels: { 'example.com/a': 'b' } } }];
  for (const values of sets) {
    const { metadata, spec } = await jobOf(chart, values);
    const text = JSON.stringify(spec);
    if (specs.has(metadata.name) && specs.get(metadata.name) !== text) findings.push(`two specs share the name ${metadata.name}: ${JSON.stringify(values)}`);
    specs.set(metadata.name, text);
  }
  return findings;
};

'use strict';

const { casesOf } = require('../lib/matrix');
const { called } = require('../lib/chart');

exports.title = 'no upgrade changes what cannot change: selectors and the volumes of StatefulSets';

exports.findings = async (chart, cases = casesOf(chart)) => {
  const next = chart.copy();
  next.write('Chart.yaml', next.read('Chart.yaml').replace(/^version: .*/m, 'version: 1.9.9').replace(/^appVersion: .*/m, 'appVersion: "9.9.9"'));
  const changed = { commonLabels: { 'example.com/added': 'later' }, global: { region: 'elsewhere' }, image: { tag: '9.9.9' } };
  const found = await Promise.all(cases.map(async ({ name, values, files }) => {
    const [before, after] = await Promise.all([
      chart.render({ values, files }),
      next.render({ values: { ...values, ...changed, global: { ...values.global, ...changed.global } }, files, args: ['--is-upgrade'] }),
    ]);
    if (!before.ok || !after.ok) return [`${name}: ${before.error}${after.error}`];
    const later = new Map(after.objects.map((object) => [called(object), fixed(object)]));
    return before.objects.filter((object) => later.has(called(object)) && later.get(called(object)) !== fixed(object))
      .map((object) => `${called(object)}: ${fixed(object)} becomes ${later.get(called(object))}`);
  }));
  return [...new Set(found.flat())];
};

/** What the API server does not let an update change. */
function fixed({ kind, spec, roleRef, type }) {
  const { selector, volumeClaimTemplates, serviceName, podManagementPolicy } = spec ?? {};
  if (kind === 'Deployment' || kind === 'DaemonSet') return JSON.stringify({ selector });
  if (kind === 'StatefulSet') {
    const claims = volumeClaimTemplates?.map(({ metadata, spec: claim }) => ({ metadata, claim }));
    return JSON.stringify({ selector, claims, serviceName, podManagementPolicy });
  }
  if (kind === 'Secret') return JSON.stringify({ type });
  if (kind === 'RoleBinding') return JSON.stringify({ roleRef });
  return '';
}

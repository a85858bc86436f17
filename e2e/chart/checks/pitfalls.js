'use strict';

const { execFileSync } = require('node:child_process');
const path = require('node:path');
const { casesOf } = require('../lib/matrix');
const { called } = require('../lib/chart');
const { overCases } = require('../lib/check');
const { podsOf } = require('../lib/pods');

exports.title = 'no hooks but tests, no password made anew, members find each other before they are ready, DNS is reached, metrics exist';

exports.findings = async (chart, cases = casesOf(chart)) => {
  const metrics = emitted();
  const rendered = await overCases(chart, cases, (objects) => [
    ...objects.flatMap(hooks), ...objects.flatMap((object) => members(objects, object)), ...objects.flatMap(dns), ...isolated(objects),
    ...objects.flatMap((object) => watched(object, metrics)),
  ]);
  return [...chance(chart), ...rendered];
};

/** Hooks run outside of the release: what they make is not upgraded with it, and not deleted. */
function hooks(object) {
  const hook = object.metadata.annotations?.['helm.sh/hook'];
  return !hook || /^test/.test(hook) ? [] : [`${called(object)} is a hook (${hook})`];
}

/** Chance may be asked in one place alone, which first looks for what the cluster holds. */
function chance(chart) {
  return chart.templates().flatMap((file) => {
    const definitions = chart.read(file).split(/(?=\{\{-?\s*define ")/);
    return definitions.filter((text) => /\b(rand(AlphaNum|Alpha|Numeric|Ascii|Bytes)|gen(CA|PrivateKey|SelfSignedCert|SignedCert)|uuidv4|now|htpasswd|bcrypt)\b/.test(text.replace(/\{\{-?\s*\/\*[^]*?\*\/\s*-?\}\}/g, '').replace(/"(\\.|[^"\\])*"/g, '""').match(/\{\{[^]*?\}\}/g)?.join('\n') ?? ''))
      .filter((text) => !/\blookup "v1" "Secret"/.test(text)).map(() => `${file} makes something anew at each rendering`);
  });
}

/** Members of a cluster look for each other by DNS, before any of them is ready, and start together. */
function members(objects, object) {
  if (object.kind !== 'StatefulSet' || object.spec.replicas < 2) return [];
  const findings = [];
  const service = objects.find(({ kind, metadata }) => kind === 'Service' && metadata.name === object.spec.serviceName);
  if (service && service.spec.publishNotReadyAddresses !== true) findings.push(`${called(object)}: its Service ${service.metadata.name} hides members that are not ready`);
  if (object.spec.podManagementPolicy !== 'Parallel') findings.push(`${called(object)}: its members start one after the other, and wait for each other for ever`);
  if (!object.spec.volumeClaimTemplates?.length) findings.push(`${called(object)}: its members keep nothing`);
  return findings;
}

/** Who may speak to anybody by name has to ask DNS. */
function dns({ kind, metadata, spec }) {
  const rules = spec?.egress ?? [];
  if (kind !== 'NetworkPolicy' || !rules.length) return [];
  const asks = rules.some(({ ports = [] }) => ports.some(({ port, protocol }) => port === 53 && protocol === 'UDP'));
  return asks ? [] : [`NetworkPolicy/${metadata.name}: lets its pods out, and not to DNS`];
}

/** With network policies every pod has one, in both directions. */
function isolated(objects) {
  const policies = objects.filter(({ kind }) => kind === 'NetworkPolicy');
  if (!policies.length) return [];
  return podsOf(objects).flatMap((pod) => ['Ingress', 'Egress'].filter((way) => !policies.some(({ spec }) => spec.policyTypes.includes(way) &&
    Object.entries(spec.podSelector.matchLabels ?? {}).every(([key, value]) => pod.metadata.labels?.[key] === value)))
    .map((way) => `${pod.name}: no policy bounds its ${way.toLowerCase()}`));
}

/** Names of the series that the program has, by its source. */
function emitted() {
  const python = path.join(process.env.CHART_VENV, 'bin/python');
  const names = execFileSync(python, [path.join(__dirname, '../prometheus/run.py'), '--names'], { encoding: 'utf8' });
  return new Set(names.trim().split('\n'));
}

/** Alerts and autoscalers go by metrics that the program has. */
function watched({ kind, metadata, spec }, series) {
  if (!['PrometheusRule', 'ScaledObject', 'HorizontalPodAutoscaler'].includes(kind)) return [];
  const names = new Set(JSON.stringify(spec).match(/\bagenticai_[a-z0-9_]+/g));
  return [...names].filter((name) => !series.has(name))
    .map((name) => `${kind}/${metadata.name}: the program has no metric ${name}`);
}

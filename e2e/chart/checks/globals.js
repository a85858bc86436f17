'use strict';

const { casesOf } = require('../lib/matrix');
const { called, merged } = require('../lib/chart');
const { overCases } = require('../lib/check');
const { podsOf, containersOf } = require('../lib/pods');

const GLOBAL = {
  global: {
    imageRegistry: 'mirror.example.com/all',
    imagePullSecrets: ['pull-secret'],
    region: 'eu-test-1',
    storageClass: 'class-of-all',
    caBundle: { configMap: 'authorities', key: 'bundle.pem' },
    proxy: { http: 'http://proxy.example.com:3128', https: 'http://proxy.example.com:3129', noProxy: '.internal.example.com' },
  },
  commonLabels: { 'example.com/team': 'agents' },
  commonAnnotations: { 'example.com/owner': 'platform' },
};

exports.title = 'global registry, pull secrets, authorities, proxy, region and storage class reach every pod, Jobs too; common labels every object';

exports.findings = (chart, cases = casesOf(chart)) => {
  const own = cases.map((each) => ({ ...each, values: merged(each.values, GLOBAL) }));
  return overCases(chart, own, (objects) => [...podsOf(objects).flatMap(ofPod), ...objects.flatMap(ofObject)]);
};

function ofPod(pod) {
  const findings = [];
  const { spec, metadata, name } = pod;
  const { global, commonLabels } = GLOBAL;
  if (!spec.imagePullSecrets?.some((secret) => secret.name === 'pull-secret')) findings.push(`${name}: no pull secret`);
  if (metadata.labels?.['agenticai.dev/region'] !== global.region) findings.push(`${name}: no label of the region`);
  for (const label of Object.keys(commonLabels)) if (!metadata.labels?.[label]) findings.push(`${name}: its pods lack the common label`);
  for (const { name: container, container: { image, env = [], volumeMounts = [] } } of containersOf(pod)) {
    const value = (variable) => env.find((each) => each.name === variable)?.value;
    const expected = { HTTP_PROXY: global.proxy.http, HTTPS_PROXY: global.proxy.https, REGION: global.region, SSL_CERT_FILE: '/etc/agenticai-ca/bundle.pem' };
    for (const [variable, wanted] of Object.entries(expected)) {
      if (value(variable) !== wanted) findings.push(`${container}: ${variable} is ${value(variable)}`);
    }
    if (!value('NO_PROXY')?.includes('.internal.example.com')) findings.push(`${container}: NO_PROXY is ${value('NO_PROXY')}`);
    const mount = volumeMounts.find((each) => each.mountPath === '/etc/agenticai-ca');
    const volume = mount && spec.volumes?.find((each) => each.name === mount.name);
    if (volume?.configMap?.name !== 'authorities') findings.push(`${container}: the bundle of authorities is not mounted`);
    if (!image.startsWith(`${global.imageRegistry}/`)) findings.push(`${container}: ${image} is not from the registry`);
  }
  return findings;
}

function ofObject(object) {
  const findings = [];
  const { labels = {}, annotations = {} } = object.metadata;
  for (const [label, value] of Object.entries({ ...GLOBAL.commonLabels, 'agenticai.dev/region': GLOBAL.global.region })) {
    if (labels[label] !== value) findings.push(`${called(object)}: lacks the label ${label}`);
  }
  for (const name of Object.keys(GLOBAL.commonAnnotations)) if (!annotations[name]) findings.push(`${called(object)}: lacks the common annotation`);
  const claims = [...(object.kind === 'PersistentVolumeClaim' ? [object] : []), ...(object.spec?.volumeClaimTemplates ?? [])];
  for (const claim of claims) {
    if (claim.spec.storageClassName !== GLOBAL.global.storageClass) findings.push(`${called(object)}: its volume is of class ${claim.spec.storageClassName}`);
  }
  return findings;
}

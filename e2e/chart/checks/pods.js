'use strict';

const { casesOf } = require('../lib/matrix');
const { overCases } = require('../lib/check');
const { podsOf, containersOf } = require('../lib/pods');
const { TOKENS, WRITABLE, PROBELESS } = require('../exceptions');

exports.title = 'every pod is restricted, bounded, has a /tmp and no token; no image is `latest`, or Bitnami\'s';

exports.findings = (chart, cases = casesOf(chart)) =>
  overCases(chart, cases, (objects) => podsOf(objects).flatMap((pod) => [...ofPod(pod), ...containersOf(pod).flatMap((each) => ofContainer(pod, each))]));

function ofPod({ name, spec, metadata }) {
  const findings = [];
  const say = (wrong) => findings.push(`${name}: ${wrong}`);
  const context = spec.securityContext ?? {};
  const component = metadata.labels?.['app.kubernetes.io/component'];
  if (context.runAsNonRoot !== true) say('runAsNonRoot is not true');
  if (!(context.runAsUser > 0)) say('runs as no user of its own');
  if (context.runAsUser === 1337) say('runs as 1337, which a mesh lets pass as its own proxy');
  if (context.seccompProfile?.type !== 'RuntimeDefault') say('has no seccomp profile RuntimeDefault');
  if (spec.automountServiceAccountToken !== (component in TOKENS)) say(`automountServiceAccountToken is ${spec.automountServiceAccountToken}`);
  if (!spec.serviceAccountName) say('names no ServiceAccount');
  if (spec.hostNetwork || spec.hostPID || spec.hostIPC) say('shares the node\'s network or processes');
  if (spec.enableServiceLinks !== false) say('is given the namespace\'s Services as variables');
  for (const volume of spec.volumes ?? []) if (volume.hostPath) say(`mounts the node's ${volume.hostPath.path}`);
  const volumes = new Set((spec.volumes ?? []).map((volume) => volume.name));
  if (volumes.size !== (spec.volumes ?? []).length) say('has two volumes of one name');
  return findings;
}

function ofContainer(pod, { name, container, init }) {
  const findings = [];
  const say = (wrong) => findings.push(`${name}: ${wrong}`);
  const context = container.securityContext ?? {};
  if (context.allowPrivilegeEscalation !== false) say('may gain privileges');
  if (context.readOnlyRootFilesystem !== true && !WRITABLE[container.name]) say('its root is writable');
  if (!context.capabilities?.drop?.includes('ALL')) say('keeps capabilities');
  if (context.capabilities?.add?.length || context.privileged) say('is given capabilities');
  for (const kind of ['requests', 'limits']) {
    for (const of of ['cpu', 'memory']) if (!container.resources?.[kind]?.[of]) say(`has no ${kind} of ${of}`);
  }
  const mounts = (container.volumeMounts ?? []).map(({ mountPath }) => mountPath);
  if (!mounts.includes('/tmp')) say('has no /tmp to write to');
  if (new Set(mounts).size !== mounts.length) say('has two mounts at one place');
  const names = (container.env ?? []).map((variable) => variable.name);
  for (const twice of names.filter((each, at) => names.indexOf(each) !== at)) say(`has the variable ${twice} twice`);
  const image = container.image ?? '';
  const [, tag] = image.match(/:([^/@:]+)(?:@.*)?$/) ?? [];
  if (!image.includes('@sha256:') && (!tag || tag === 'latest')) say(`the image ${image} is of no version`);
  if (/bitnami/i.test(image)) say(`the image ${image} is Bitnami's`);
  if (!init && pod.owner.kind !== 'Job' && pod.owner.kind !== 'Pod' && pod.owner.kind !== 'CronJob') {
    for (const probe of ['livenessProbe', 'readinessProbe']) if (!container[probe] && !PROBELESS[container.name]) say(`has no ${probe}`);
  }
  return findings;
}

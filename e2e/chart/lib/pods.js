'use strict';
// The pods that objects make, whatever makes them.

const { called } = require('./chart');

/** {owner, name, metadata, spec} of every pod template. */
function podsOf(objects) {
  return objects.flatMap((object) => {
    const name = called(object);
    if (object.kind === 'Pod') return [{ owner: object, name, metadata: object.metadata, spec: object.spec }];
    const template = object.kind === 'CronJob' ? object.spec?.jobTemplate?.spec?.template : object.spec?.template;
    return template?.spec?.containers ? [{ owner: object, name, metadata: template.metadata ?? {}, spec: template.spec }] : [];
  });
}

/** Every container of a pod: {name, container, init}. */
function containersOf(pod) {
  const named = (list, init) => (list ?? []).map((container) => ({ name: `${pod.name} ${container.name}`, container, init }));
  return [...named(pod.spec.initContainers, true), ...named(pod.spec.containers, false)];
}

/** Whether labels have all that a selector {matchLabels, matchExpressions}, or a plain map, asks for. */
function selects(selector, labels = {}) {
  if (!selector) return false;
  const plain = 'matchLabels' in selector || 'matchExpressions' in selector ? (selector.matchLabels ?? {}) : selector;
  const matched = Object.entries(plain).every(([key, value]) => labels[key] === value);
  return matched && (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => ({
    In: values.includes(labels[key]), NotIn: !values.includes(labels[key]), Exists: key in labels, DoesNotExist: !(key in labels),
  })[operator]);
}

module.exports = { podsOf, containersOf, selects };

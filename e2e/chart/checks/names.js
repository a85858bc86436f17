'use strict';

const { casesOf } = require('../lib/matrix');
const { called } = require('../lib/chart');

const LONG = 'a-release-with-a-name-of-fifty-three-characters-in-all';

exports.title = 'names have at most 63 characters however long the release\'s is, and two releases in one namespace share none';

exports.findings = async (chart, cases = casesOf(chart)) => {
  const found = await Promise.all(cases.map(async ({ name: title, values, files }) => {
    const [first, second, long] = await Promise.all(['one', 'two', LONG.slice(0, 53)].map((release) => chart.render({ values, files, release })));
    const broken = [first, second, long].find(({ ok }) => !ok);
    if (broken) return [`${title}: ${broken.error.trim()}`];
    const names = new Set(first.objects.map(key));
    return [
      ...second.objects.map(key).filter((name) => names.has(name)).map((name) => `${name} belongs to both releases`),
      ...twice(first.objects.map(key)).map((name) => `${name} is rendered twice`),
      ...long.objects.flatMap(namesOf).filter((name) => name.length > 63).map((name) => `${name} has ${name.length} characters`),
      ...first.objects.filter((object) => !object.metadata.labels?.['app.kubernetes.io/instance']).map((object) => `${called(object)} does not say its release`),
      ...first.objects.filter((object) => object.metadata.namespace === undefined && !CLUSTER.includes(object.kind)).map((object) => `${called(object)} names no namespace`),
    ];
  }));
  return [...new Set(found.flat())];
};

const CLUSTER = ['PriorityClass', 'ClusterRole', 'ClusterRoleBinding', 'Namespace'];

const key = (object) => `${object.apiVersion.split('/')[0]} ${called(object)}`;

const twice = (names) => names.filter((name, at) => names.indexOf(name) !== at);

/** Names of the object, of its pods (a StatefulSet's have an ordinal behind theirs), and label values. */
function namesOf(object) {
  const { name, labels = {} } = object.metadata;
  const pods = object.kind === 'StatefulSet' ? [`${name}-0`, `${name}-0123456789`] : [];
  return [name, ...pods, ...Object.values(labels)];
}

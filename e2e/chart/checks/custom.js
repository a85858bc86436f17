'use strict';

const { casesOf } = require('../lib/matrix');
const { overCases } = require('../lib/check');
const { isNative } = require('../lib/kubernetes');
const { wrongWith } = require('../lib/custom');

exports.title = 'every custom resource fits its CRD: types, enums, patterns, and no unknown field';

exports.findings = async (chart, cases = casesOf(chart)) => {
  const objects = new Set();
  const broken = await overCases(chart, cases, (rendered) => {
    rendered.filter((object) => !isNative(object)).forEach((object) => objects.add(object));
    return [];
  });
  const kinds = [...new Set([...objects].map(({ kind }) => kind))].sort();
  console.log(`  ${objects.size} different custom resources of ${kinds.length} kinds: ${kinds.join(' ')}`);
  return [...broken, ...(objects.size ? await wrongWith([...objects]) : ['there is no custom resource to judge'])];
};

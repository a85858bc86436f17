'use strict';

const { casesOf } = require('../lib/matrix');
const { called } = require('../lib/chart');
const { overCases } = require('../lib/check');
const { VERSIONS, isNative, wrongWith } = require('../lib/kubernetes');

exports.title = `every object of Kubernetes' own kinds is strictly valid for ${VERSIONS.join(', ')}`;

exports.findings = async (chart, cases = casesOf(chart)) => {
  const judged = new Map();
  const findings = await overCases(chart, cases, (objects) => objects.filter(isNative).flatMap((object) => {
    if (!judged.has(object)) judged.set(object, VERSIONS.flatMap((version) => wrongWith(object, version).map((wrong) => `${called(object)}: ${wrong}`)));
    return judged.get(object);
  }));
  console.log(`  ${judged.size} different objects`);
  return judged.size ? findings : [...findings, 'there is no object to judge'];
};

'use strict';
// What checks have in common.

/**
 * overCases(CHART, CASES, LOOK): the findings of LOOK(objects, case) over renderings of all cases, each told once with the first
 * case that shows it. A case that does not render is a finding.
 */
async function overCases(chart, cases, look) {
  const seen = new Map();
  const all = await Promise.all(cases.map(async (each) => {
    const { ok, error, objects, text } = await chart.render({ values: each.values, files: each.files });
    return ok ? look(objects, each, text) : [`it does not render: ${error.trim()}`];
  }));
  all.forEach((findings, index) => {
    for (const finding of findings) if (!seen.has(finding)) seen.set(finding, cases[index].name);
  });
  return [...seen].map(([finding, name]) => `${finding} (${name})`);
}

module.exports = { overCases };

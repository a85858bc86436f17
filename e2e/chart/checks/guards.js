'use strict';

const GUARDS = require('../guards');

exports.title = 'every guard refuses what it is there for, and says its sentence';

exports.findings = async (chart, cases, only = () => true) => {
  const findings = [];
  const told = [];
  await Promise.all(GUARDS.filter(([values]) => only(values)).map(async ([values, ...sentences]) => {
    const { ok, error } = await chart.render({ values });
    const text = error.replace(/\s+/g, ' ');
    if (ok) findings.push(`${JSON.stringify(values)} is not refused; \`${sentences[0]}\` was expected`);
    else for (const words of sentences) if (!text.includes(words)) findings.push(`${JSON.stringify(values)} is refused, but not because \`${words}\`: ${text}`);
    told.push(text);
  }));
  const sentences = sentencesOf(chart);
  console.log(`  ${sentences.length} sentences of guards, ${GUARDS.length} sets of values`);
  for (const sentence of sentences) if (!told.some((text) => sentence.pattern.test(text))) findings.push(`no example makes the guard say: ${sentence.line}`);
  return sentences.length ? findings : ['there are no guards'];
};

/** The sentences of the partials `agenticai.validations.SUBJECT`: the lines that are no directive. */
function sentencesOf(chart) {
  const files = chart.templates().filter((file) => file.endsWith('_validations.tpl'));
  return files.flatMap((file) => {
    const defined = chart.read(file).split(/\{\{-?\s*define "/).slice(1).filter((part) => part.startsWith('agenticai.validations.'));
    const lines = defined.flatMap((part) => part.replace(/\{\{\/\*[^]*?\*\/\}\}/g, '').split('\n').slice(1)).map((line) => line.trim());
    return lines.filter((line) => line && !/^\{\{-?\s*(if|else|end|range|with|\$|include|define|\/\*)/.test(line)).map((line) => ({ line, pattern: patternOf(line) }));
  });
}

const patternOf = (line) => new RegExp(line.split(/\{\{[^}]*\}\}/).map((part) => part.replace(/\s+/g, ' ').replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.*'));

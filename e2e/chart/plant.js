'use strict';
// Plants each mistake of mistakes/ into a copy of the chart, runs the one check that has to find it, and counts.

const fs = require('node:fs');
const path = require('node:path');
const { Chart } = require('./lib/chart');
const { casesOf } = require('./lib/matrix');
const { generate } = require('../../helm/generator/main');

const LEAST = 30;
const chart = new Chart(path.join(__dirname, '../../helm/agenticai'));
const words = process.argv.slice(2);

/** mistakes: {title, check, cases, edits: [{file, find, replace}], finds, only, stale}; see mistakes/README.md. */
const mistakes = fs.readdirSync(path.join(__dirname, 'mistakes')).filter((file) => file.endsWith('.js')).sort()
  .flatMap((file) => require(`./mistakes/${file}`)).filter(({ title }) => words.every((word) => title.includes(word)));

/** The findings of the check that a mistake is for, in the cases that it names. */
async function look(on, { check, cases = ['defaults'], only }) {
  const all = casesOf(on).filter(({ name }) => cases.includes(name));
  if (all.length !== cases.length) throw new Error(`no such cases: ${cases}`);
  return require(`./checks/${check}`).findings(on, all, only);
}

function plant({ title, edits, stale }) {
  const copy = chart.copy();
  for (const { file, find, replace } of edits) {
    const before = copy.read(file);
    const after = before.replace(find, replace);
    if (after === before) throw new Error(`it cannot be planted: ${file} has no ${find}`);
    copy.write(file, after);
  }
  if (edits.some(({ file }) => file === 'values.yaml') && !stale) {
    for (const [name, text] of Object.entries(generate(copy.dir).files)) copy.write(name, text);
  }
  return copy;
}

async function caught(mistake) {
  try {
    const [sound, broken] = [await look(chart, mistake), await look(plant(mistake), mistake)];
    const own = broken.filter((finding) => mistake.finds.test(finding));
    if (sound.some((finding) => mistake.finds.test(finding))) return 'the chart has this mistake already, or the check sees it where it is not';
    return own.length ? null : `the check ${mistake.check} says: ${broken.slice(0, 3).join('; ') || 'nothing'}`;
  } catch (error) {
    return error.message;
  }
}

async function main() {
  const began = Date.now();
  console.log = () => {};
  const results = [];
  for (let at = 0; at < mistakes.length; at += 6) results.push(...(await Promise.all(mistakes.slice(at, at + 6).map(caught))));
  const found = results.filter((result) => result === null).length;
  results.forEach((result, index) => process.stdout.write(`${result === null ? 'caught' : 'MISSED'}  ${mistakes[index].title}${result === null ? '' : `: ${result}`}\n`));
  process.stdout.write(`${found} of ${mistakes.length} planted mistakes were caught (${((Date.now() - began) / 1000).toFixed(0)} s)\n`);
  const unplanted = fs.readdirSync(path.join(__dirname, 'checks')).map((file) => path.basename(file, '.js')).filter((check) => !mistakes.some((each) => each.check === check));
  if (!words.length && unplanted.length) process.stdout.write(`no mistake is planted for: ${unplanted.join(' ')}\n`);
  process.exitCode = found === mistakes.length && (words.length || (mistakes.length >= LEAST && !unplanted.length)) ? 0 : 1;
}

main();

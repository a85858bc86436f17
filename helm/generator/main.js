'use strict';
// Makes values.schema.json and the table of values in README.md. Called by `helm/generate`, and as a library by the tests.

const fs = require('node:fs');
const path = require('node:path');
const { readValues } = require('./values');
const { schemaOf } = require('./schema');
const { tableOf } = require('./table');

const BEGIN = '<!-- values: begin; made by helm/generate -->';
const END = '<!-- values: end -->';

/** generate(DIR): what the chart's two files must hold, and how many values there are. */
function generate(dir) {
  const values = readValues(fs.readFileSync(path.join(dir, 'values.yaml'), 'utf8'));
  const readme = fs.readFileSync(path.join(dir, 'README.md'), 'utf8');
  const [begin, end] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`README.md lacks the lines \`${BEGIN}\` and \`${END}\``);
  return {
    count: values.rows.length,
    leaves: values.leaves.length,
    files: {
      'values.schema.json': `${JSON.stringify(schemaOf(values), null, 1)}\n`,
      'README.md': `${readme.slice(0, begin)}${BEGIN}\n\n${tableOf(values)}\n${readme.slice(end)}`,
    },
  };
}

/** stale(DIR): the names of those files that are not what they must be. */
function stale(dir) {
  const held = (name) => {
    const file = path.join(dir, name);
    return fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
  };
  return Object.entries(generate(dir).files).filter(([name, text]) => held(name) !== text).map(([name]) => name);
}

function main(args) {
  const dir = path.join(__dirname, '..', 'agenticai');
  const { count, leaves, files } = generate(dir);
  if (args.includes('--check')) {
    const names = stale(dir);
    if (names.length) throw new Error(`${names.join(' and ')} of the chart do not match values.yaml: run helm/generate`);
  } else {
    for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(dir, name), text);
  }
  console.log(`${count} values, ${leaves} single settings in their defaults`);
}

module.exports = { generate, stale };

if (require.main === module) {
  try {
    main(process.argv.slice(2));
  } catch (error) {
    console.error(`helm/generate: ${error.message}`);
    process.exitCode = 1;
  }
}

'use strict';
// The table of values, one for each section, in Markdown.

const code = (text) => `\`${text.replaceAll('|', '\\|')}\``;

/** tableOf(readValues(…)) */
function tableOf({ root, rows }) {
  const parts = [];
  const single = rows.filter((row) => row.path.length === 1);
  if (single.length) parts.push(section('Of the chart as a whole', '', single));
  for (const node of root.children) {
    const below = rows.filter((row) => row.path.length > 1 && row.path[0] === node.key);
    if (below.length) parts.push(section(code(node.key), node.note, below));
  }
  return parts.join('\n');
}

function section(title, note, rows) {
  const lines = [`### ${title}`, ''];
  if (note) lines.push(note, '');
  lines.push('| Value | Default | What it means |', '| --- | --- | --- |');
  for (const row of rows) {
    const text = JSON.stringify(row.value);
    lines.push(`| ${code(row.path.join('.'))} | ${code(text)} | ${row.description.replaceAll('|', '\\|')} |`);
  }
  return `${lines.join('\n')}\n`;
}

module.exports = { tableOf };

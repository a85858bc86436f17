'use strict';
// Reads values.yaml together with its comments.
//
//   # @schema {"minimum": 1}     narrows the schema that the default tells
//   # -- What the value means.   describes it; lines that follow continue the description
//   replicaCount: 3
//
// Other comments above a mapping without a description introduce its section.

const yaml = require('yaml');

/**
 * readValues(TEXT): the tree of nodes {path, key, description, schema, note, value, children}, and of it
 * `rows` (what is described as one value) and `leaves` (every scalar, list and empty mapping).
 */
function readValues(text) {
  const document = yaml.parseDocument(text);
  if (document.errors.length) throw document.errors[0];
  const root = { path: [], children: childrenOf(document, document.contents, []) };
  const rows = [];
  const wrong = [];
  collect(root, false, rows, wrong);
  if (wrong.length) throw new Error(`values.yaml describes not every value:\n  ${wrong.join('\n  ')}`);
  return { root, rows, leaves: leavesOf(root.children) };
}

/** The nodes of a mapping; the comment above its first entry belongs to the mapping as YAML's reader sees it. */
function childrenOf(document, map, path) {
  return map.items.map((pair, index) => {
    const key = String(pair.key.value);
    const comment = [index === 0 ? map.commentBefore : '', pair.key.commentBefore].filter(Boolean).join('\n');
    const resolved = yaml.isAlias(pair.value) ? pair.value.resolve(document) : pair.value;
    const node = { path: [...path, key], key, value: resolved?.toJS(document) ?? null, ...readComment(comment, [...path, key]) };
    node.children = yaml.isMap(resolved) ? childrenOf(document, resolved, node.path) : [];
    return node;
  });
}

/** A comment in its parts: description, schema, and what is neither. Only what stands directly above the key counts. */
function readComment(comment, path) {
  const description = [];
  const note = [];
  let schema = null;
  let described = false;
  for (const line of comment.split('\n').map((each) => each.trim())) {
    const [, fragment] = line.match(/^@schema\s+(.*)$/) ?? [];
    const [, begun] = line.match(/^--\s+(.*)$/) ?? [];
    if (fragment !== undefined) {
      try {
        schema = { ...schema, ...JSON.parse(fragment) };
      } catch (error) {
        throw new Error(`the @schema of ${path.join('.')} is no JSON: ${error.message}`);
      }
    } else if (begun !== undefined) {
      described = true;
      description.push(begun);
    } else if (described && line) {
      description.push(line);
    } else if (line) {
      note.push(line);
    }
  }
  return { description: description.join(' '), schema, note: note.join(' ') };
}

const isDescribed = (node) => Boolean(node.description) || node.children.some(isDescribed);

/** Walks down to what is described as one value: a mapping is, unless what is in it is described by itself. */
function collect(node, covered, rows, wrong) {
  for (const child of node.children) {
    const single = child.children.length === 0 || !child.children.some(isDescribed);
    if (!single) collect(child, covered || Boolean(child.description), rows, wrong);
    else if (child.description) rows.push(child);
    else if (child.children.length) collect(child, covered, rows, wrong);
    else wrong.push(`${child.path.join('.')} lacks its line \`# -- what it means\``);
  }
}

const leavesOf = (nodes) => nodes.flatMap((node) => (node.children.length ? leavesOf(node.children) : [node]));

module.exports = { readValues };

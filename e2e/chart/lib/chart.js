'use strict';
// Renders a chart, as often as it takes and as few times as possible: a rendering that was made is kept.

const { execFile } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const yaml = require('yaml');

const TOOLS = process.env.HELM_TOOLS;
const AT_ONCE = Math.max(2, os.availableParallelism());

let running = 0;
const waiting = [];

/** run(PROGRAM, ARGS): {code, stdout, stderr}; never more processes at once than the machine has processors. */
async function run(program, args, options = {}) {
  if (running >= AT_ONCE) await new Promise((resolve) => waiting.push(resolve));
  running += 1;
  try {
    return await new Promise((resolve) => {
      execFile(program, args, { maxBuffer: 1 << 28, ...options }, (error, stdout, stderr) =>
        resolve({ code: error ? (error.code ?? 1) : 0, stdout, stderr: error && !stderr ? String(error) : stderr }));
    });
  } finally {
    running -= 1;
    waiting.shift()?.();
  }
}

/** The values of `over` laid over those of `base`, as Helm does it. */
function merged(base, over) {
  const isMap = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);
  if (!isMap(base) || !isMap(over)) return over;
  const result = { ...base };
  for (const [key, value] of Object.entries(over)) result[key] = key in base ? merged(base[key], value) : value;
  return result;
}

/** withValue({a: 1}, ['b', 'c'], 2) is {a: 1, b: {c: 2}} */
function withValue(values, at, value) {
  return merged(values, at.reduceRight((inner, key) => ({ [key]: inner }), value));
}

const scratches = [];
process.once('exit', () => scratches.forEach((dir) => fs.rmSync(dir, { recursive: true, force: true })));

class Chart {
  constructor(dir) {
    this.dir = dir;
    this.kept = new Map();
    this.scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'agenticai-chart-'));
    scratches.push(this.scratch);
  }

  /** A copy, to be changed. */
  copy() {
    const dir = path.join(fs.mkdtempSync(path.join(this.scratch, 'copy-')), path.basename(this.dir));
    fs.cpSync(this.dir, dir, { recursive: true });
    return new Chart(dir);
  }

  read(file) {
    return fs.readFileSync(path.join(this.dir, file), 'utf8');
  }

  write(file, text) {
    fs.writeFileSync(path.join(this.dir, file), text);
    this.kept.clear();
  }

  /** The chart's own values. */
  get values() {
    return yaml.parse(this.read('values.yaml'));
  }

  /** The text of a template or of a partial, by file name, wherever below templates/ it lies. */
  templates() {
    const files = fs.readdirSync(path.join(this.dir, 'templates'), { recursive: true });
    return files.map((file) => path.join('templates', file)).filter((file) => /\.(ya?ml|tpl|txt)$/.test(file)).sort();
  }

  /**
   * render({values, files, release, namespace, helm, args}): {ok, objects, text, error}. `values` are laid over the files, which
   * are names below the chart's directory. Objects are read when they are asked for.
   */
  render(request = {}) {
    const key = JSON.stringify(request);
    if (!this.kept.has(key)) this.kept.set(key, this.#render(request));
    return this.kept.get(key);
  }

  async #render({ values = {}, files = [], release = 'agenticai', namespace = 'agenticai', helm = 'helm', args = [] }) {
    const file = path.join(fs.mkdtempSync(path.join(this.scratch, 'values-')), 'values.json');
    fs.writeFileSync(file, JSON.stringify(values));
    const chosen = [...files.map((name) => path.join(this.dir, name)), file].flatMap((name) => ['--values', name]);
    const { code, stdout, stderr } = await run(path.join(TOOLS, helm), [
      'template', release, this.dir, '--namespace', namespace, ...chosen, ...args,
    ]);
    fs.rmSync(path.dirname(file), { recursive: true });
    if (code !== 0) return { ok: false, error: stderr, objects: [], text: '' };
    return { ok: true, error: '', text: withoutChance(stdout), get objects() { return objectsOf(this.text); } };
  }
}

/** Objects by their text: renderings have most of them in common. They are shared, and never changed. */
const parsed = new Map();

/** The objects of a rendering. Keys that stand twice in a mapping are errors, as they are to Helm 4's server-side apply. */
function objectsOf(text) {
  return text.split(/^---.*$/m).flatMap((part) => {
    if (!parsed.has(part)) {
      const document = yaml.parseDocument(part, { uniqueKeys: true, version: '1.1', merge: false });
      if (document.errors.length) throw document.errors[0];
      parsed.set(part, document.toJS());
    }
    return parsed.get(part) ? [parsed.get(part)] : [];
  });
}

/** The text without what is drawn at random: passwords that are made because there is no cluster to ask for them. */
function withoutChance(text) {
  return text.replace(/^(\s+[\w.-]+: "?)([A-Za-z0-9+/]{16,}={0,2})("?)$/gm, (line, before, data, after) => {
    const decoded = Buffer.from(data, 'base64').toString('latin1');
    return /^[A-Za-z0-9]{16,}$/.test(decoded) && Buffer.from(decoded, 'latin1').toString('base64') === data
      ? `${before}(made)${after}` : line;
  });
}

/** What an object is called in messages. */
const called = (object) => `${object.kind}/${object.metadata?.name ?? object.metadata?.generateName}`;

module.exports = { Chart, run, merged, withValue, called, TOOLS };

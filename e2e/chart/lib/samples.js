'use strict';
// Other valid values for a value, made from its schema.

const Ajv = require('ajv');

class Samples {
  constructor(schema) {
    this.schema = schema;
    this.ajv = new Ajv({ strict: false, validateFormats: false });
    this.ajv.addSchema(schema, 'values');
  }

  resolve(part) {
    if (part?.$ref) return this.resolve(this.schema.definitions[part.$ref.replace('#/definitions/', '')]);
    if (part?.allOf?.length === 1) return { ...this.resolve(part.allOf[0]), ...part, allOf: undefined };
    const choices = part?.oneOf ?? part?.anyOf;
    return choices ? { ...part, ...this.resolve(choices[0]) } : part;
  }

  /** others(PART, VALUE): up to a handful of values that PART allows and that are not VALUE. */
  others(part, value, key = '') {
    const valid = this.ajv.compile({ ...part, definitions: this.schema.definitions });
    const different = (candidate) => JSON.stringify(candidate) !== JSON.stringify(value);
    return this.candidates(this.resolve(part) ?? {}, value, key).filter((candidate) => different(candidate) && valid(candidate));
  }

  candidates(part, value, key) {
    if (part.enum) return part.enum;
    if (typeof value === 'boolean') return [!value];
    if (typeof value === 'number') return [value + 1, value - 1, value * 2, value + 1000, value / 2];
    if (typeof value === 'string') return stringsLike(value, key);
    if (Array.isArray(value)) {
      const item = this.sample(part.items ?? {}, key);
      return [[...value, item], [...value, { [key]: 'changed' }], value.slice(0, -1)];
    }
    if (value === null) return [part, ...[part.type].flat().map((type) => ({ type }))].map((each) => this.sample({ ...each, type: [each.type].flat().find((type) => type !== 'null') }, key)).concat([100000, 1, '1']);
    return [{ ...value, changed: 'changed' }, { ...value, [key]: this.sample(part, key) }, this.sample(part, key)];
  }

  /** A small instance of a schema. */
  sample(unresolved, key = '', depth = 0) {
    const part = this.resolve(unresolved) ?? {};
    const type = [part.type].flat().find((each) => each && each !== 'null');
    if (part.enum) return part.enum.at(-1);
    if (type === 'integer' || type === 'number') return Math.max(part.minimum ?? 0, 7);
    if (type === 'boolean') return true;
    if (type === 'array') return [this.sample(part.items ?? {}, key, depth + 1)];
    if (type === 'object') {
      const [first] = Object.keys(part.properties ?? {});
      const wanted = part.required ?? (first && depth < 4 ? [first] : []);
      return Object.fromEntries(wanted.map((name) => [name, this.sample(part.properties[name], name, depth + 1)]));
    }
    return stringsLike('', key)[0];
  }
}

/** Strings of the kind that a value is: by what it holds, and by its name. */
function stringsLike(value, key) {
  const digest = `sha256:${'0'.repeat(64)}`;
  if (/^\d+(\.\d+)?(m|Ki|Mi|Gi|Ti)?$/.test(value)) return [value.replace(/^\d+/, (number) => String(Number(number) + 1)), '3'];
  if (/cidr/i.test(key)) return ['10.99.0.0/16'];
  if (/digest/i.test(key)) return [digest];
  return ['changed', `${value}-changed`, 'changed.example.com', 'http://changed.example.com', '10.99.0.0/16', digest, '5m', '17', '3Gi', '1 2 3 * *'];
}

module.exports = { Samples };

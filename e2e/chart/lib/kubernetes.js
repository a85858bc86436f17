'use strict';
// The strict schemas of Kubernetes' own objects, from PyPI's kubernetes-validate, for each supported version.

const fs = require('node:fs');
const path = require('node:path');
const Ajv = require('ajv/dist/2020');

const VERSIONS = ['1.35', '1.36', '1.37'];
const root = process.env.KUBERNETES_SCHEMAS;
const read = (version, name) => JSON.parse(fs.readFileSync(path.join(root, `v${version}.0-local-strict`, name), 'utf8'));

const validators = new Map();

function validatorOf(version) {
  if (!validators.has(version)) {
    const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false, inlineRefs: false });
    ajv.addSchema(read(version, '_definitions.json'), '/api/_definitions.json');
    validators.set(version, { ajv, kinds: new Map() });
  }
  return validators.get(version);
}

/** apps/v1 Deployment is deployment-apps-v1.json; groups are named by their first part. */
function fileOf({ apiVersion, kind }) {
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  return `${[kind.toLowerCase(), group.split('.')[0], version].filter(Boolean).join('-')}.json`;
}

/** Groups that belong to Kubernetes itself. */
const GROUPS = ['admissionregistration.k8s.io', 'apps', 'autoscaling', 'batch', 'networking.k8s.io', 'policy', 'rbac.authorization.k8s.io', 'scheduling.k8s.io', 'storage.k8s.io'];
const isNative = ({ apiVersion }) => !apiVersion.includes('/') || GROUPS.includes(apiVersion.split('/')[0]);

/** What a version of Kubernetes has against an object of its own kinds. */
function wrongWith(object, version) {
  const { ajv, kinds } = validatorOf(version);
  const file = fileOf(object);
  if (!kinds.has(file)) {
    const known = fs.existsSync(path.join(root, `v${version}.0-local-strict`, file));
    kinds.set(file, known ? ajv.compile({ ...read(version, file), $id: `/api/${file}` }) : null);
  }
  const validate = kinds.get(file);
  if (!validate) return [`${version} knows no ${object.apiVersion} ${object.kind}`];
  if (validate(object)) return [];
  return [...new Set(validate.errors.map(({ instancePath, message, params }) => `${version}: ${instancePath} ${message} ${params.additionalProperty ?? ''}`.trim()))].slice(0, 4);
}

module.exports = { VERSIONS, isNative, wrongWith };

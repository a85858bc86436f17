'use strict';
// Custom resources against the types that are made from their CRDs (npm's @kubernetes-models): the models find wrong types, enums
// and patterns, the compiler of TypeScript finds fields that do not exist. RabbitMQ's operator has no such package: its fields are
// held to a list that was written by hand from its documentation.

const fs = require('node:fs');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const ts = require('typescript');
const { called } = require('./chart');

const MODULES = process.env.NODE_PATH;
const PACKAGES = {
  'cert-manager.io': 'cert-manager', 'gateway.networking.k8s.io': 'gateway-api', 'gateway.envoyproxy.io': 'envoy-gateway',
  'keda.sh': 'keda', 'monitoring.coreos.com': 'prometheus-operator', 'postgresql.cnpg.io': 'cloudnative-pg', 'traefik.io': 'traefik',
};

const moduleOf = ({ apiVersion, kind }) => {
  const [group, version] = apiVersion.split('/');
  return PACKAGES[group] && `@kubernetes-models/${PACKAGES[group]}/${group}/${version}/${kind}`;
};

/** Findings of every custom resource. */
async function wrongWith(objects) {
  const findings = [];
  const typed = [];
  for (const object of objects) {
    const name = moduleOf(object);
    if (object.apiVersion.startsWith('rabbitmq.com/')) findings.push(...byHand(object));
    else if (!name || !fs.existsSync(path.join(MODULES, `${name}.js`))) findings.push(`${called(object)}: nobody knows ${object.apiVersion}`);
    else {
      typed.push({ object, name });
      const model = (await import(pathToFileURL(path.join(MODULES, `${name}.js`)).href))[object.kind];
      try {
        new model(object).validate();
      } catch (error) {
        findings.push(`${called(object)}: ${error.message}`);
      }
    }
  }
  return [...findings, ...unknownFields(typed)];
}

/** One file of constants, each of its kind's type: the compiler refuses a field that the type has not. */
function unknownFields(typed) {
  if (!typed.length) return [];
  const lines = typed.map(({ object, name }, index) =>
    `import type { I${object.kind} as T${index} } from ${JSON.stringify(path.join(MODULES, name))}; export const o${index}: T${index} = ${JSON.stringify(object)};`);
  const file = '/objects.ts';
  const options = {
    noEmit: true, strict: true, skipLibCheck: true, types: [], target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext,
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.fileExists = (name) => name === file || fileExists(name);
  host.readFile = (name) => (name === file ? lines.join('\n') : readFile(name));
  host.getSourceFile = (name, ...rest) => (name === file ? ts.createSourceFile(name, lines.join('\n'), ts.ScriptTarget.ES2022) : getSourceFile(name, ...rest));
  const program = ts.createProgram([file], options, host);
  return ts.getPreEmitDiagnostics(program).map((diagnostic) => {
    const line = diagnostic.file?.fileName === file ? diagnostic.file.getLineAndCharacterOfPosition(diagnostic.start).line : -1;
    return `${line < 0 ? diagnostic.file?.fileName : called(typed[line].object)}: ${ts.flattenDiagnosticMessageText(diagnostic.messageText, ' ')}`;
  });
}

/** Fields of RabbitmqCluster's spec, as the Cluster Operator's documentation names them; true: whatever Kubernetes allows there. */
const RABBITMQ = {
  replicas: 'number', image: 'string', imagePullSecrets: true, delayStartSeconds: 'number', terminationGracePeriodSeconds: 'number', skipPostDeploySteps: 'boolean',
  autoEnableAllFeatureFlags: 'boolean', affinity: true, tolerations: true, resources: true,
  persistence: { storageClassName: 'string', storage: 'string' },
  rabbitmq: { additionalPlugins: true, additionalConfig: 'string', advancedConfig: 'string', envConfig: 'string', erlangInetConfig: 'string' },
  service: { type: 'string', annotations: true, labels: true, ipFamilyPolicy: 'string' },
  tls: { secretName: 'string', caSecretName: 'string', disableNonTLSListeners: 'boolean' },
  secretBackend: { vault: true, externalSecret: { name: 'string' } },
  override: { statefulSet: true, service: true },
};

function byHand(object) {
  const { apiVersion, kind, spec } = object;
  if (apiVersion !== 'rabbitmq.com/v1beta1' || kind !== 'RabbitmqCluster') return [`${called(object)}: nobody knows ${apiVersion} ${kind}`];
  const visit = (value, known, at) => Object.entries(value).flatMap(([key, inner]) => {
    const type = known[key];
    if (type === undefined) return [`${called(object)}: there is no field ${at}.${key}`];
    if (type === true) return [];
    if (typeof type === 'string') return typeof inner === type ? [] : [`${called(object)}: ${at}.${key} must be a ${type}`];
    return visit(inner, type, `${at}.${key}`);
  });
  return visit(spec, RABBITMQ, 'spec');
}

module.exports = { wrongWith };

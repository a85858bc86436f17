'use strict';
// What the checks let pass, each with its reason. Short lists are the aim.

/** Components whose pods speak to the API server, and so have a token. */
const TOKENS = {};

/** Containers that write to their root. */
const WRITABLE = {};

/** Values whose change shows in no rendering without a cluster. */
const UNSEEN = {};

/** Where a value is tried first, by the beginning of its path: what it needs beside it to matter. */
const CONTEXTS = {
  'global.caBundle': { global: { caBundle: { configMap: 'authorities' } } },
  'global.proxy': { global: { proxy: { http: 'http://proxy.example.com:3128' } } },
};

/** Settings whose default in the chart is meant to differ from the program's own. */
const DELIBERATE = {
  AGENTICAI_LOG_FORMAT: 'logs of a cluster are read by machines',
  AGENTICAI_CLUSTER_PRE_STOP_SECONDS: 'the program has none outside of a cluster, and 5 in one',
};

/** What is made although nothing that is rendered uses it, by kind and component. */
const UNUSED = {
  'Secret signing': 'the keys that sign tokens are read once the front door exists',
  'PriorityClass priority': 'three classes for every kind of pod; a release without databases leaves one of them idle',
};

/** Findings of checkov that stand, by check. */
const POLICY = {
  CKV_K8S_21: 'the namespace is the one of the release; the scan renders into `agenticai`, manifests that users write may not',
};

module.exports = { TOKENS, WRITABLE, UNSEEN, CONTEXTS, DELIBERATE, UNUSED, POLICY };

// What the pods of each kind may do at the API server: nothing, but for those who must.

import assert from "node:assert/strict";
import { test } from "node:test";

import { chart, deleteNamespace, helm, list, makeNamespace, podsOf, request } from "../support/cluster.mjs";
import { settle } from "../support/settled.mjs";

const namespace = "rights";

/** Whether a ServiceAccount may do this, as the API server says. */
async function may(account, verb, resource, { name, group = "", where = namespace } = {}) {
  const { body } = await request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {
    spec: {
      user: `system:serviceaccount:${namespace}:${account}`,
      groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"],
      resourceAttributes: { namespace: where, verb, resource, group, name },
    },
  });
  return body.status.allowed;
}

const verbs = ["get", "list", "watch", "create", "update", "patch", "delete"];
const resources = [
  ["secrets"], ["configmaps"], ["pods"], ["pods/exec"], ["pods/log"], ["services"], ["serviceaccounts/token"], ["persistentvolumeclaims"],
  ["events"], ["endpoints"], ["deployments", "apps"], ["deployments/scale", "apps"], ["statefulsets", "apps"], ["jobs", "batch"],
  ["roles", "rbac.authorization.k8s.io"], ["rolebindings", "rbac.authorization.k8s.io"], ["networkpolicies", "networking.k8s.io"],
  ["horizontalpodautoscalers", "autoscaling"], ["endpointslices", "discovery.k8s.io"], ["leases", "coordination.k8s.io"],
];

/** What a kind of pod must be able to do. RabbitMQ's nodes find each other by name, so even they need nothing. */
const needed = {};

test("ServiceAccounts may do what they must, and nothing else", async (t) => {
  await makeNamespace(namespace);
  t.after(() => deleteNamespace(namespace));
  await helm(4, ["install", "agenticai", chart, "--namespace", namespace, "--set", "chromadb.enabled=true"]);
  await settle(namespace);
  const pods = await podsOf(namespace);
  const accounts = (await list("serviceaccounts", namespace)).filter(({ metadata }) => metadata.name !== "default");

  await t.test("every kind of pod has an account of its own, and none is the namespace's", () => {
    const kinds = new Set(pods.map(({ metadata }) => metadata.labels["app.kubernetes.io/component"]));
    const used = new Set(pods.map(({ spec }) => spec.serviceAccountName));
    assert.ok(!used.has("default"));
    assert.equal(used.size, kinds.size);
    assert.deepEqual([...used].sort(), accounts.map(({ metadata }) => metadata.name).sort());
  });

  await t.test("a token is mounted only where the API server is spoken to", () => {
    for (const pod of pods) {
      const component = pod.metadata.labels["app.kubernetes.io/component"];
      const mounted = pod.spec.volumes?.some(({ projected }) => projected?.sources?.some(({ serviceAccountToken }) => serviceAccountToken));
      assert.equal(Boolean(mounted), component in needed, component);
    }
  });

  await t.test("the matrix of accounts, verbs and resources", async (t) => {
    let asked = 0;
    for (const { metadata: { name } } of accounts) {
      const component = name.replace("agenticai-", "");
      const allowed = [];
      for (const [resource, group] of resources) {
        for (const verb of verbs) {
          for (const where of [namespace, "kube-system"]) {
            asked += 1;
            if (await may(name, verb, resource, { group, where })) allowed.push(`${verb} ${resource} in ${where}`);
          }
        }
      }
      assert.deepEqual(allowed, needed[component] ?? [], name);
    }
    t.diagnostic(`${accounts.length} accounts, ${asked} questions`);
  });
});

// k8s/deploy.sh: that it does what it says, twice, and says exactly what failed where something does.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";

import { create, deleteNamespace, deploy, get, kubectl, list, makeNamespace, patch, podsOf, request, scale } from "../support/cluster.mjs";
import { tell } from "../support/metrics.mjs";
import { hangsTogether, settle } from "../support/settled.mjs";

/** Everything that deploy.sh applies, with what of it tells a change: its generation, or its content where it has none. */
async function state(namespace) {
  const found = {};
  for (const kind of ["deployments", "statefulsets", "services", "configmaps", "secrets", "jobs", "networkpolicies", "serviceaccounts",
    "horizontalpodautoscalers", "poddisruptionbudgets", "persistentvolumeclaims"]) {
    for (const { metadata, data } of await list(kind, namespace)) {
      found[`${kind}/${metadata.name}`] = { uid: metadata.uid, generation: metadata.generation, data };
    }
  }
  for (const pod of await podsOf(namespace)) found[`pods/${pod.metadata.name}`] = pod.metadata.uid;
  return found;
}

function ended(status, { status: got, out, err }) {
  assert.equal(got, status, `deploy.sh ended with ${got}:\n${out}\n${err}`);
  return out + err;
}

test("deploy.sh from nothing, again, with other options, and away", async (t) => {
  const namespace = "deployed";
  t.after(() => deleteNamespace(namespace));
  const here = ["--namespace", namespace, "--timeout", "10m"];

  await t.test("--dry-run asks the cluster and leaves nothing", async () => {
    const said = ended(0, await deploy([...here, "--dry-run"]));
    assert.match(said, /deployment.apps\/agenticai-api serverside-applied \(server dry run\)/);
    assert.equal((await request("GET", `/api/v1/namespaces/${namespace}`)).status, 404);
    assert.ok((await list("priorityclasses")).every(({ metadata }) => !metadata.name.startsWith(namespace)));
  });

  await t.test("the first run makes everything and asks the API for its health", async () => {
    const said = ended(0, await deploy(here));
    assert.match(said, /the API is ready \(asked through the API server\)/);
    for (const line of [/StatefulSet\/agenticai-postgresql +1\/1 +ready/, /StatefulSet\/agenticai-rabbitmq +3\/3 +ready/,
      /Deployment\/agenticai-api +3\/3 +ready/, /Deployment\/agenticai-worker +2\/2 +ready/, /Job\/agenticai-migrate-\w+ +1\/1/,
      /HorizontalPodAutoscaler\/agenticai-api-hpa +3 +3 to 10/]) assert.match(said, line);
    const { metadata: { labels } } = await get("namespaces", "", namespace);
    assert.equal(labels["pod-security.kubernetes.io/enforce"], "restricted");
    await settle(namespace);
    await hangsTogether(namespace);
  });

  await t.test("the second run changes nothing, under a scaled Deployment too", async () => {
    // As busy as the autoscalers want it: they leave the number alone.
    await tell(namespace, { cpu: { api: 70, worker: 75 } });
    await scale("deployments", namespace, "agenticai-worker", 4);
    await settle(namespace);
    const before = await state(namespace);
    const said = ended(0, await deploy(here));
    assert.deepEqual(await state(namespace), before);
    assert.equal(said.match(/0 of them new or changed/g).length, 2);
  });

  await t.test("with another image the migration comes first, as a Job of its own, and the old one goes", async () => {
    const [old] = await list("jobs", namespace);
    const image = "registry.example.com/agenticai:0.1.1";
    const passwords = (await get("secrets", namespace, "agenticai-postgresql")).data;
    ended(0, await deploy([...here, "--image", image]));
    const jobs = (await list("jobs", namespace)).filter(({ metadata }) => !metadata.deletionTimestamp);
    assert.equal(jobs.length, 1);
    assert.notEqual(jobs[0].metadata.name, old.metadata.name);
    const replicaSets = await list("replicasets", namespace, { "app.kubernetes.io/component": "api" });
    const fresh = replicaSets.find(({ spec }) => spec.template.spec.containers[0].image === image);
    assert.ok(new Date(fresh.metadata.creationTimestamp) >= new Date(jobs[0].status.completionTime));
    assert.deepEqual((await get("secrets", namespace, "agenticai-postgresql")).data, passwords);
  });

  await t.test("options are remembered, and keys that a Secret lacks are added", async () => {
    await patch("secrets", namespace, "agenticai-rabbitmq", { data: { "erlang-cookie": null } });
    const { data } = await get("secrets", namespace, "agenticai-rabbitmq");
    const withIngress = ["--ingress", "agents.example.com", "--ingress-class", "haproxy"];
    assert.match(ended(0, await deploy([...here, ...withIngress])), /agenticai-rabbitmq given the keys that it lacked/);
    const completed = (await get("secrets", namespace, "agenticai-rabbitmq")).data;
    assert.equal(completed.password, data.password);
    assert.equal(Buffer.from(completed["erlang-cookie"], "base64").length, 64);
    ended(0, await deploy(here));
    assert.equal((await get("ingresses", namespace, "agenticai-api")).spec.rules[0].host, "agents.example.com");
    ended(0, await deploy([...here, "--ingress", "none"]));
    assert.deepEqual(await list("ingresses", namespace), []);
  });

  await t.test("--delete asks, and keeps volumes and Secrets", async () => {
    assert.match(ended(9, await deploy([...here, "--delete"])), /not confirmed/);
    ended(0, await deploy([...here, "--delete", "--yes"]));
    for (const kind of ["deployments", "statefulsets", "jobs", "services", "networkpolicies"]) {
      assert.deepEqual(await list(kind, namespace), [], kind);
    }
    assert.ok((await list("priorityclasses")).every(({ metadata }) => !metadata.name.startsWith(namespace)));
    assert.equal((await list("persistentvolumeclaims", namespace)).length, 5);
    assert.equal((await list("secrets", namespace)).length, 5);
  });
});

const all = ["get", "list", "watch", "create", "update", "patch", "delete"];

/** What a user of deploy.sh needs, as README.md of k8s/ has it. */
const rights = [
  { apiGroups: [""], resources: ["configmaps", "persistentvolumeclaims", "secrets", "serviceaccounts", "services"], verbs: all },
  { apiGroups: [""], resources: ["events", "pods", "pods/log"], verbs: ["get", "list", "watch"] },
  { apiGroups: [""], resources: ["pods/portforward"], verbs: ["create"] },
  { apiGroups: ["apps"], resources: ["deployments", "statefulsets"], verbs: all },
  { apiGroups: ["batch"], resources: ["jobs"], verbs: all },
  { apiGroups: ["autoscaling"], resources: ["horizontalpodautoscalers"], verbs: all },
  { apiGroups: ["policy"], resources: ["poddisruptionbudgets"], verbs: all },
  { apiGroups: ["networking.k8s.io"], resources: ["ingresses", "networkpolicies"], verbs: all },
  { apiGroups: ["rbac.authorization.k8s.io"], resources: ["roles", "rolebindings"], verbs: all },
  { apiGroups: ["scheduling.k8s.io"], resources: ["priorityclasses"], verbs: all },
  { apiGroups: [""], resources: ["namespaces"], verbs: ["get"] },
  { apiGroups: ["storage.k8s.io"], resources: ["storageclasses"], verbs: ["get", "list"] },
];

/** A user with these rights, as an environment for kubectl. */
async function deployer(namespace, rules) {
  const name = `deployer-${namespace}`;
  await create("serviceaccounts", "default", { metadata: { name } });
  const access = "/apis/rbac.authorization.k8s.io/v1";
  await request("POST", `${access}/clusterroles`, { metadata: { name }, rules });
  await request("POST", `${access}/clusterrolebindings`, {
    metadata: { name }, roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name },
    subjects: [{ kind: "ServiceAccount", name, namespace: "default" }],
  });
  const { body } = await request("POST", `/api/v1/namespaces/default/serviceaccounts/${name}/token`, { spec: {} });
  const config = `${process.env.KUBECONFIG}.${namespace}`;
  await writeFile(config, (await readFile(process.env.KUBECONFIG, "utf8")).replace(/token: \w+/, `token: ${body.status.token}`));
  return { KUBECONFIG: config };
}

/** A namespace for one fault. */
async function faulty(t, name) {
  t.after(() => deleteNamespace(name));
  return ["--namespace", name, "--timeout", "20"];
}

test("what deploy.sh says where something fails", { concurrency: 2 }, async (t) => {
  await Promise.all([
    t.test("an image that cannot be pulled: the migration waits, and nothing of the program is touched", async (t) => {
      const here = await faulty(t, "broken-image");
      const said = ended(6, await deploy([...here, "--image", "registry.example.com/does-not-exist:1"]));
      assert.match(said, /waits: ImagePullBackOff: Back-off pulling image registry.example.com\/does-not-exist:1/);
      assert.match(said, /the program was left as it was/);
      assert.deepEqual(await list("deployments", "broken-image", { "app.kubernetes.io/component": "api" }), []);
    }),
    t.test("a migration that fails", async (t) => {
      const here = await faulty(t, "failing-migration");
      const said = ended(6, await deploy(["--namespace", "failing-migration", "--timeout", "30", "--image", "registry.example.com/failing:1"]));
      assert.match(said, /ended: Error, exit code 1/);
      assert.match(said, /last lines of its log:\n +the last words of a container/);
      assert.ok(here);
    }),
    t.test("a volume that nobody gives", async (t) => {
      const here = await faulty(t, "no-volume");
      const claim = { accessModes: ["ReadWriteOnce"], storageClassName: "nobody", resources: { requests: { storage: "20Gi" } } };
      await makeNamespace("no-volume");
      const labels = { "app.kubernetes.io/instance": "agenticai" };
      await create("persistentvolumeclaims", "no-volume", { metadata: { name: "data-agenticai-postgresql-0", labels }, spec: claim });
      const said = ended(7, await deploy(here));
      assert.match(said, /StatefulSet\/agenticai-postgresql is NOT ready/);
      assert.match(said, /not placed: .*PersistentVolumeClaim/);
      assert.match(said, /claim data-agenticai-postgresql-0 is Pending: 20Gi of class nobody/);
    }),
    t.test("pods that the namespace has no room for", async (t) => {
      const here = await faulty(t, "no-room");
      await makeNamespace("no-room");
      const { status } = await request("POST", "/api/v1/namespaces/no-room/resourcequotas", { metadata: { name: "small" }, spec: { hard: { pods: "6" } } });
      assert.equal(status, 201);
      const said = ended(7, await deploy(here));
      assert.match(said, /exceeded quota: small/);
    }),
    t.test("a namespace that belongs to Helm", async (t) => {
      const here = await faulty(t, "of-helm");
      await makeNamespace("of-helm");
      const labels = { "app.kubernetes.io/managed-by": "Helm" };
      const template = { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "a", image: "a" }] } };
      await create("deployments", "of-helm", { metadata: { name: "agenticai-api", labels }, spec: { replicas: 0, selector: { matchLabels: { a: "b" } }, template } });
      assert.match(ended(4, await deploy(here)), /holds a release of Helm/);
    }),
    t.test("a field that somebody else has set", async (t) => {
      const name = "conflict";
      t.after(() => deleteNamespace(name));
      const here = ["--namespace", name, "--timeout", "10m"];
      ended(0, await deploy(here));
      await kubectl(["apply", "--server-side", "--force-conflicts", "--field-manager", "somebody", "-f", "-"], JSON.stringify({
        apiVersion: "v1", kind: "ConfigMap", metadata: { name: "agenticai-config", namespace: name }, data: { AGENTICAI_LOG_LEVEL: "trace" },
      }));
      assert.match(ended(5, await deploy(here)), /conflict with "somebody"[^]*--force-conflicts/);
      ended(0, await deploy([...here, "--force-conflicts"]));
      assert.equal((await get("configmaps", name, "agenticai-config")).data.AGENTICAI_LOG_LEVEL, "info");
    }),
    t.test("a user who may do nothing", async (t) => {
      await makeNamespace("not-allowed");
      t.after(() => deleteNamespace("not-allowed"));
      const said = ended(4, await deploy(["--namespace", "not-allowed"], await deployer("not-allowed", [])));
      assert.match(said, /you may not|cannot (get|list)|forbidden/i);
    }),
    t.test("a user who may do what is needed, and not reach pods through the API server: a forwarded port does", async (t) => {
      await makeNamespace("few-rights");
      t.after(() => deleteNamespace("few-rights"));
      const said = ended(0, await deploy(["--namespace", "few-rights", "--timeout", "10m"], await deployer("few-rights", rights)));
      assert.match(said, /the API is ready \(asked through a forwarded port\)/);
    }),
  ]);
});

// The commands of the README as they stand there, and what they must give.

import assert from "node:assert/strict";
import { test } from "node:test";

import { command, deleteNamespace, deploy, get, helm, isReady, kubectl, list, podsOf, root, scale, until } from "../support/cluster.mjs";
import { tell } from "../support/metrics.mjs";
import { hangsTogether, settle } from "../support/settled.mjs";

const namespace = "agenticai";
const api = async () => (await get("deployments", namespace, "agenticai-api")).spec.replicas;

test("helm install of five API pods with a volume of 100Gi", async (t) => {
  t.after(() => deleteNamespace(namespace));
  const values = ["--set", "api.replicaCount=5", "--set", "postgresql.persistence.size=100Gi"];
  // As busy as the autoscalers want it, so that they leave the number alone.
  await tell(namespace, { cpu: { api: 70, worker: 75 } });

  await t.test("the command", async () => {
    const line = "helm install agenticai ./helm/agenticai --namespace agenticai --create-namespace --set api.replicaCount=5 --set postgresql.persistence.size=100Gi";
    const [file, ...args] = [...line.split(" "), "--wait", "--timeout", "10m"];
    const { status, out, err } = await command(file, args.map((one) => one.replace("./helm", `${root}/helm`)));
    assert.equal(status, 0, err);
    assert.match(out, /agenticai admin bootstrap/);
    await settle(namespace);
  });

  await t.test("five ready API pods, and a claim of 100Gi that is bound", async () => {
    const pods = await podsOf(namespace, "api");
    assert.equal(pods.length, 5);
    assert.ok(pods.every(isReady));
    const claims = await list("persistentvolumeclaims", namespace, { "app.kubernetes.io/component": "postgresql" });
    assert.deepEqual(claims.map(({ status }) => [status.phase, status.capacity.storage]), [["Bound", "100Gi"]]);
  });

  await t.test("kubectl get hpa: agenticai-api-hpa 3 to 10, agenticai-worker-hpa 2 to 8", async () => {
    const table = await until("numbers of the autoscalers", async () => {
      const table = await kubectl(["get", "hpa", "-n", namespace]);
      return table.includes("unknown") ? undefined : table;
    });
    t.diagnostic(`\n${table}`);
    assert.match(table, /agenticai-api-hpa +Deployment\/agenticai-api +cpu: 70%\/70%, memory: \d+%\/80% +3 +10 +5 /);
    assert.match(table, /agenticai-worker-hpa +Deployment\/agenticai-worker +cpu: 75%\/75%, memory: \d+%\/85% +2 +8 +2 /);
  });

  await t.test("helm test", async () => {
    const said = await helm(4, ["test", "agenticai", "--namespace", namespace, "--timeout", "2m"]);
    assert.match(said, /Phase: +Succeeded/);
    assert.equal((await podsOf(namespace, "test")).length, 0);
  });

  await t.test("somebody scales to seven: upgrades with other values keep that, with Helm 4 and 3", async () => {
    await scale("deployments", namespace, "agenticai-api", 7);
    await settle(namespace);
    for (const [version, ...more] of [[4, ...values], [4, "--set", "api.replicaCount=4"], [3, ...values]]) {
      await helm(version, ["upgrade", "agenticai", `${root}/helm/agenticai`, "--namespace", namespace, "--set", "postgresql.persistence.size=100Gi",
        ...more, "--set", "config.log.level=debug"]);
      assert.equal(await api(), 7, `after an upgrade with Helm ${version} and ${more.join(" ")}`);
    }
    await settle(namespace);
  });

  await t.test("after an uninstall the plain manifests take its place, twice, by kubectl alone", async () => {
    await helm(4, ["uninstall", "agenticai", "--namespace", namespace, "--wait", "--timeout", "10m"]);
    const { status, out, err } = await deploy(["--secrets-only"]);
    assert.equal(status, 0, out + err);
    await kubectl(["apply", "--server-side", "-k", `${root}/k8s`]);
    await settle(namespace);
    await hangsTogether(namespace);
    const generations = async () => (await list("deployments", namespace)).map(({ metadata }) => [metadata.name, metadata.generation]);
    const before = await generations();
    await kubectl(["apply", "--server-side", "-k", `${root}/k8s`]);
    assert.deepEqual(await generations(), before);
  });
});

// Where pods run, and how they leave: spread over zones and nodes, priorities, budgets under a drain, and the order of a
// migration and the pods that wait for it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { chart, deleteNamespace, get, helm, isReady, kubectl, list, makeNamespace, pause, podsOf, until } from "../support/cluster.mjs";
import { tell } from "../support/metrics.mjs";
import { settle } from "../support/settled.mjs";

const namespace = "placement";
const release = "placement";
const replicated = ["api", "worker", "scheduler", "rabbitmq", "otel-collector"];

const nodeOf = (pod) => pod.spec.nodeName;
const count = (things) => things.reduce((all, one) => ({ ...all, [one]: (all[one] ?? 0) + 1 }), {});

test("placement", async (t) => {
  await makeNamespace(namespace);
  t.after(() => deleteNamespace(namespace));
  // As busy as the autoscalers want it, so that they leave the numbers alone.
  await tell(namespace, { cpu: { api: 70, worker: 75 } });
  await helm(4, ["install", release, chart, "--namespace", namespace, "--wait", "--timeout", "10m", "--set", "api.replicaCount=6"]);
  await settle(namespace);
  const zones = Object.fromEntries((await list("nodes")).map(({ metadata }) => [metadata.name, metadata.labels["topology.kubernetes.io/zone"]]));

  await t.test("six API pods: two in each zone, each on a node of its own", async (t) => {
    const pods = await podsOf(namespace, "api");
    const perZone = count(pods.map((pod) => zones[nodeOf(pod)]));
    t.diagnostic(JSON.stringify(perZone));
    assert.deepEqual(Object.values(perZone), [2, 2, 2]);
    assert.equal(new Set(pods.map(nodeOf)).size, 6);
  });

  await t.test("every other replicated part: no two pods in a zone while another has none", async () => {
    for (const component of replicated.slice(1)) {
      const pods = await podsOf(namespace, component);
      assert.ok(pods.length > 1, component);
      assert.equal(new Set(pods.map((pod) => zones[nodeOf(pod)])).size, Math.min(pods.length, 3), component);
    }
  });

  await t.test("priorities: data before services before batch", async () => {
    const priority = async (component) => (await podsOf(namespace, component))[0].spec.priority;
    for (const data of ["postgresql", "redis", "rabbitmq"]) assert.equal(await priority(data), 1_000_000, data);
    for (const service of ["api", "scheduler"]) assert.equal(await priority(service), 900_000, service);
    for (const batch of ["worker", "otel-collector", "jaeger"]) assert.equal(await priority(batch), 800_000, batch);
  });

  await t.test("drains of three nodes at once: never more than one pod of a kind is away", async (t) => {
    const wanted = Object.fromEntries(await Promise.all(replicated.map(async (one) => [one, (await podsOf(namespace, one)).length])));
    const nodes = [...new Set((await podsOf(namespace, "rabbitmq")).map(nodeOf))];
    assert.equal(nodes.length, 3);
    let draining = true;
    let looks = 0;
    const least = { ...wanted };
    const looking = (async () => {
      while (draining) {
        for (const component of replicated) {
          const ready = (await podsOf(namespace, component)).filter(isReady).length;
          least[component] = Math.min(least[component], ready);
        }
        looks += 1;
        await pause(0.05);
      }
    })();
    try {
      const selector = ["--pod-selector", `app.kubernetes.io/instance=${release},app.kubernetes.io/component!=postgresql`];
      await Promise.all(nodes.map((node) =>
        kubectl(["drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout", "240s", ...selector])));
    } finally {
      draining = false;
      await looking;
      await Promise.all(nodes.map((node) => kubectl(["uncordon", node])));
    }
    t.diagnostic(`${looks} looks; least ready ${JSON.stringify(least)} of ${JSON.stringify(wanted)}`);
    for (const component of replicated) assert.ok(least[component] >= wanted[component] - 1, `${component}: ${least[component]} of ${wanted[component]}`);
    await settle(namespace);
  });

  await t.test("an upgrade: a migration of its own while the old pods serve, and never fewer API pods than before", async (t) => {
    const migrations = () => list("jobs", namespace, { "app.kubernetes.io/component": "migration" });
    const [before] = await migrations();
    const old = (await podsOf(namespace, "api")).map(({ metadata }) => metadata.name);
    let upgraded = false;
    let least = old.length;
    let served = false;
    const looking = (async () => {
      while (!upgraded) {
        const [jobs, pods] = await Promise.all([migrations(), podsOf(namespace, "api")]);
        const running = jobs.find(({ metadata, status }) => metadata.name !== before.metadata.name && !status.completionTime);
        if (running && old.every((name) => pods.some((pod) => pod.metadata.name === name && isReady(pod)))) served = true;
        least = Math.min(least, pods.filter(isReady).length);
        await pause(0.05);
      }
    })();
    await helm(4, ["upgrade", release, chart, "--namespace", namespace, "--wait", "--timeout", "10m", "--reuse-values", "--set", "image.tag=0.1.1"]);
    upgraded = true;
    await looking;
    const after = await until("the old migration to be gone", async () => {
      const jobs = await migrations();
      return jobs.length === 1 ? jobs : undefined;
    });
    assert.notEqual(after[0].metadata.name, before.metadata.name);
    assert.ok(after[0].status.completionTime);
    assert.ok(served, "the old pods were not seen to serve while the migration ran");
    assert.equal(least, old.length);
    const pods = await podsOf(namespace, "api");
    assert.ok(pods.every(({ spec }) => spec.containers[0].image.endsWith(":0.1.1")));
    t.diagnostic(`${before.metadata.name}, then ${after[0].metadata.name}; at least ${least} ready API pods`);
    assert.equal((await get("deployments", namespace, `${release}-agenticai-api`)).spec.replicas, old.length);
  });
});

// Autoscalers, fed by metrics that the test serves. The pauses are real ones: this takes eight minutes.

import assert from "node:assert/strict";
import { test } from "node:test";

import { chart, deleteNamespace, get, helm, kubectl, list, makeNamespace, pause, until } from "../support/cluster.mjs";
import { tell } from "../support/metrics.mjs";

const namespace = "autoscaling";
const release = "autoscaling";
const name = (component) => `${release}-agenticai-${component}`;
const replicas = async (component) => (await get("deployments", namespace, name(component))).spec.replicas;

/** The numbers that a Deployment goes through until it is at `last`, each with the second at which it was first seen. */
async function watch(component, last, seconds) {
  const began = Date.now();
  const seen = [];
  await until(`${component} at ${last}`, async () => {
    const now = await replicas(component);
    if (seen.at(-1)?.replicas !== now) seen.push({ replicas: now, at: (Date.now() - began) / 1000 });
    return now === last;
  }, seconds);
  return seen;
}

const numbers = (seen) => seen.map(({ replicas }) => replicas);
const inWords = (seen) => seen.map(({ replicas, at }) => `${replicas} after ${at.toFixed(0)} s`).join(", ");

test("autoscalers follow load", async (t) => {
  await makeNamespace(namespace);
  t.after(() => deleteNamespace(namespace));
  await tell(namespace, { external: { agenticai_tasks_ready: 0, agenticai_worker_tasks_in_flight: 0 } });
  await helm(4, ["install", release, chart, "--namespace", namespace, "--wait", "--timeout", "10m",
    "--set", "worker.autoscaling.external.enabled=true"]);
  await until("autoscalers that see all their metrics", async () => {
    const scalers = await list("horizontalpodautoscalers", namespace);
    return scalers.length === 2 && scalers.every(({ spec, status }) =>
      status.conditions?.some(({ type, status }) => type === "ScalingActive" && status === "True") &&
      status.currentMetrics?.length === spec.metrics.length);
  }, 120);

  await t.test("without load both stay at their least numbers", async () => {
    await pause(20);
    assert.deepEqual([await replicas("api"), await replicas("worker")], [3, 2]);
  });

  await t.test("API under 200% CPU and workers with 1,600 ready tasks: at most two more every 15 s, up to the most", async (t) => {
    await tell(namespace, {
      cpu: { api: 200 },
      external: { agenticai_tasks_ready: 1600, agenticai_worker_tasks_in_flight: 0 },
    });
    const [api, worker] = await Promise.all([watch("api", 10, 120), watch("worker", 8, 120)]);
    t.diagnostic(`api ${inWords(api)}; worker ${inWords(worker)}`);
    for (const seen of [api, worker]) {
      for (const [before, after] of seen.slice(1).map((step, i) => [seen[i], step])) {
        assert.ok(after.replicas - before.replicas <= 2, `from ${before.replicas} to ${after.replicas} at once`);
      }
      // The first step may come at once; two steps have 15 s between them, looked at every 5 s.
      for (const [before, after] of seen.slice(2).map((step, i) => [seen[i + 1], step])) {
        assert.ok(after.at - before.at >= 9, `${after.replicas} came ${after.at - before.at} s after ${before.replicas}`);
      }
    }
    assert.deepEqual(numbers(api), [3, 5, 7, 9, 10]);
    assert.deepEqual(numbers(worker), [2, 4, 6, 8]);
  });

  await t.test("an upgrade keeps what the autoscalers have made", async () => {
    for (const version of [4, 3]) {
      await helm(version, ["upgrade", release, chart, "--namespace", namespace, "--reuse-values", "--set", `config.log.level=${version === 4 ? "warn" : "debug"}`]);
      assert.deepEqual([await replicas("api"), await replicas("worker")], [10, 8], `with Helm ${version}`);
    }
  });

  await t.test("without load: five minutes of waiting, then at most half of them every 60 s", async (t) => {
    await tell(namespace, { cpu: { api: 5 }, external: { agenticai_tasks_ready: 0, agenticai_worker_tasks_in_flight: 0 } });
    const [api, worker] = await Promise.all([watch("api", 3, 540), watch("worker", 2, 540)]);
    t.diagnostic(`api ${inWords(api)}; worker ${inWords(worker)}`);
    assert.deepEqual(numbers(api), [10, 5, 3]);
    assert.deepEqual(numbers(worker), [8, 4, 2]);
    for (const seen of [api, worker]) {
      assert.ok(seen[1].at >= 290, `the first step came after ${seen[1].at} s`);
      assert.ok(seen[2].at - seen[1].at >= 50, `the second step came ${seen[2].at - seen[1].at} s after the first`);
    }
  });

  await t.test("kubectl get hpa shows the bounds", async () => {
    const table = await kubectl(["get", "hpa", "-n", namespace]);
    assert.match(table, new RegExp(`${name("api")}-hpa .* 3 +10 `));
    assert.match(table, new RegExp(`${name("worker")}-hpa .* 2 +8 `));
  });
});

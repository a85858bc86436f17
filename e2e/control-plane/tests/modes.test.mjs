// Every way in which the chart can be installed: what it renders is accepted, its pods are let in under the strictest
// standard, everything it names is there, and Helm 4 and 3 take it through its whole life.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { chart, deleteNamespace, get, helm, kubectl, list, makeNamespace, request, until } from "../support/cluster.mjs";
import { argumentsOf, modes, prepare, slug } from "../support/modes.mjs";
import { hangsTogether, settle } from "../support/settled.mjs";

// For whoever mends some of them: MODE=Sentinel|KEDA, WAY=apply, helm4 or helm3.
const { MODE: only, WAY: way } = process.env;
const chosen = Object.entries(modes).filter(([mode]) => !only || only.split("|").includes(mode));

async function inNamespace(t, prefix, name, mode) {
  const namespace = await makeNamespace(`${prefix}-${slug(name)}`);
  if (!process.env.KEEP) t.after(() => deleteNamespace(namespace));
  await prepare(namespace, mode);
  return namespace;
}

describe("server-side apply of every object, and pods of every workload", { concurrency: 5, skip: way && way !== "apply" }, () => {
  for (const [name, mode] of chosen) {
    test(name, async (t) => {
      const namespace = await inNamespace(t, "apply", name, mode);
      const manifests = await helm(4, ["template", "agenticai", chart, "--namespace", namespace, "--no-hooks", ...argumentsOf(mode)]);
      const applied = await kubectl(["apply", "--server-side", "--namespace", namespace, "-f", "-"], manifests);
      const objects = manifests.match(/^kind: /gm).length;
      assert.equal(applied.trim().split("\n").length, objects);
      await settle(namespace);
      await hangsTogether(namespace, mode.elsewhere);
      t.diagnostic(`${objects} objects, ${(await list("pods", namespace)).length} pods`);
      await kubectl(["delete", "--wait=false", "-f", "-"], manifests);
    });
  }
});

/** What must never change from one version to the next: what selects pods, and passwords. */
async function constants(namespace) {
  const workloads = [...(await list("deployments", namespace)), ...(await list("statefulsets", namespace))];
  const secrets = (await list("secrets", namespace)).filter(({ type }) => !type.startsWith("helm.sh/"));
  return {
    selectors: Object.fromEntries(workloads.map(({ metadata, spec }) => [metadata.name, spec.selector.matchLabels])),
    secrets: Object.fromEntries(secrets.map(({ metadata, data }) => [metadata.name, data])),
  };
}

const migrations = async (namespace) =>
  (await list("jobs", namespace, { "app.kubernetes.io/component": "migration" })).map(({ metadata }) => metadata.name);

const level = async (namespace) => (await get("configmaps", namespace, "agenticai-config")).data.AGENTICAI_LOG_LEVEL;

/** What is left in a namespace, without what every namespace has and what was there before. */
async function remains(namespace, { secrets = {}, configMaps = {}, operator = {} }) {
  const before = new Set([...Object.keys({ ...secrets, ...configMaps, ...operator }), "kube-root-ca.crt", "default"]);
  const { body } = await request("GET", "/apis");
  const versions = ["/api/v1", ...body.groups.map(({ preferredVersion }) => `/apis/${preferredVersion.groupVersion}`)];
  const left = [];
  for (const version of versions) {
    const { body: { resources = [] } } = await request("GET", version);
    for (const { name, kind, namespaced, verbs } of resources) {
      if (!namespaced || name.includes("/") || !verbs.includes("delete") || kind === "Event") continue;
      const { body } = await request("GET", `${version}/namespaces/${namespace}/${name}`);
      for (const { metadata } of body.items ?? []) {
        if (!before.has(metadata.name) && !metadata.deletionTimestamp) left.push(`${kind}/${metadata.name}`);
      }
    }
  }
  return left.sort();
}

for (const version of [4, 3]) {
  describe(`Helm ${version}: install, upgrade, rollback, uninstall`, { concurrency: 5, skip: way && way !== `helm${version}` }, () => {
    for (const [name, mode] of chosen) {
      test(name, async (t) => {
        const namespace = await inNamespace(t, `helm${version}`, name, mode);
        const run = (verb, ...more) => helm(version, [verb, "agenticai", ...more, "--namespace", namespace, "--wait", "--timeout", "10m"]);
        await run("install", chart, ...argumentsOf(mode));
        await settle(namespace);
        const first = await constants(namespace);
        const [firstMigration] = await migrations(namespace);
        const firstLevel = await level(namespace);

        await run("upgrade", chart, ...argumentsOf(mode), "--set", "config.log.level=debug,agenticai_worker=trace".replace(",", "\\,"));
        await settle(namespace);
        assert.deepEqual(await constants(namespace), first, "an upgrade changed selectors or passwords");
        assert.equal(await level(namespace), "debug,agenticai_worker=trace");
        const [secondMigration, ...others] = await migrations(namespace);
        assert.notEqual(secondMigration, firstMigration, "another configuration must be another migration");
        assert.deepEqual(others, [], "the old migration must go");

        await run("rollback", "1");
        await settle(namespace);
        assert.deepEqual(await constants(namespace), first, "a rollback changed selectors or passwords");
        assert.equal(await level(namespace), firstLevel);
        assert.deepEqual(await migrations(namespace), [firstMigration]);

        await run("uninstall");
        const left = await until("an uninstall that leaves volumes and their passwords alone", async () => {
          const left = await remains(namespace, mode);
          const more = left.filter((one) => !/^(PersistentVolumeClaim\/|Secret\/agenticai-(postgresql|redis|rabbitmq)$)/.test(one));
          if (more.length) throw new Error(`left: ${more.join(", ")}`);
          return left;
        });
        t.diagnostic(left.length ? `left: ${left.join(", ")}` : "nothing left");

        // What is left must not stand in the way of whoever installs it again.
        await run("install", chart, ...argumentsOf(mode));
        await settle(namespace);
        const again = await constants(namespace);
        for (const secret of left.filter((one) => one.startsWith("Secret/")).map((one) => one.slice(7))) {
          assert.deepEqual(again.secrets[secret], first.secrets[secret], `${secret} was made anew, for volumes with the old passwords`);
        }
      });
    }
  });
}

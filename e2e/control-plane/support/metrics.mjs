// The metrics APIs of the test's cluster, as metrics-server and an adapter for Prometheus would serve them: the API server
// hands requests on to this one. What the pods of a namespace use is told by the tests:
//
//   PUT http://127.0.0.1:PORT/NAMESPACE {"cpu": {"api": 200}, "memory": {…}, "external": {"agenticai_tasks_ready": 1600}}
//
// CPU and memory in percent of the pods' requests, by component.

import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";

import { create, list, request, until } from "./cluster.mjs";

const idle = { cpu: 10, memory: 10 };
const told = {};

/** A quantity of the API in millionths of a CPU or bytes. */
function amount(quantity) {
  const [, number, unit] = /^([0-9.]+)(m|Ki|Mi|Gi)?$/.exec(quantity);
  return number * { m: 1e-3, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 }[unit ?? ""] || Number(number);
}

function usage(pod, container) {
  const load = told[pod.metadata.namespace] ?? {};
  const component = pod.metadata.labels?.["app.kubernetes.io/component"];
  const share = (resource) => (load[resource]?.[component] ?? idle[resource]) / 100;
  const asked = container.resources?.requests ?? {};
  return {
    cpu: `${Math.round(amount(asked.cpu ?? "100m") * share("cpu") * 1e9)}n`,
    memory: `${Math.round(amount(asked.memory ?? "128Mi") * share("memory"))}`,
  };
}

async function podMetrics(url) {
  const [, namespace] = /\/namespaces\/([^/]+)\/pods/.exec(url.pathname) ?? [];
  const place = namespace ? `/api/v1/namespaces/${namespace}/pods` : "/api/v1/pods";
  const { body } = await request("GET", `${place}?${url.searchParams}`);
  const now = new Date().toISOString();
  return {
    kind: "PodMetricsList",
    apiVersion: "metrics.k8s.io/v1beta1",
    metadata: {},
    items: body.items.filter((pod) => pod.status.phase === "Running").map((pod) => ({
      metadata: { name: pod.metadata.name, namespace: pod.metadata.namespace, labels: pod.metadata.labels },
      timestamp: now,
      window: "5s",
      containers: pod.spec.containers.map((container) => ({ name: container.name, usage: usage(pod, container) })),
    })),
  };
}

function externalMetrics(url) {
  const [, namespace, metric] = /\/namespaces\/([^/]+)\/([^/]+)$/.exec(url.pathname);
  const value = told[namespace]?.external?.[metric];
  const labels = Object.fromEntries((url.searchParams.get("labelSelector") ?? "").split(",").filter(Boolean).map((one) => one.split("=")));
  return {
    kind: "ExternalMetricValueList",
    apiVersion: "external.metrics.k8s.io/v1beta1",
    metadata: {},
    items: value === undefined || (labels.namespace && labels.namespace !== namespace)
      ? [] : [{ metricName: metric, metricLabels: labels, timestamp: new Date().toISOString(), value: String(value) }],
  };
}

const resources = (group, names) => ({
  kind: "APIResourceList",
  apiVersion: "v1",
  groupVersion: `${group}/v1beta1`,
  resources: names.map(([name, kind]) => ({ name, singularName: "", namespaced: true, kind, verbs: ["get", "list"] })),
});

async function answer(url) {
  switch (url.pathname) {
    case "/apis/metrics.k8s.io/v1beta1": return resources("metrics.k8s.io", [["pods", "PodMetrics"]]);
    case "/apis/external.metrics.k8s.io/v1beta1": return resources("external.metrics.k8s.io", []);
  }
  if (/^\/apis\/metrics\.k8s\.io\/v1beta1\/.*pods$/.test(url.pathname)) return podMetrics(url);
  if (/^\/apis\/external\.metrics\.k8s\.io\/v1beta1\/namespaces\//.test(url.pathname)) return externalMetrics(url);
  return undefined;
}

/** Serves both APIs with this certificate, registers them, and listens on `port` to what the tests tell. */
export async function serveMetrics(directory, port) {
  const options = { key: readFileSync(`${directory}/front-proxy.key`), cert: readFileSync(`${directory}/front-proxy.crt`) };
  const server = https.createServer(options, async (asked, reply) => {
    const found = await answer(new URL(asked.url, "https://metrics")).catch((error) => ({ error: error.message }));
    reply.writeHead(found === undefined ? 404 : found.error ? 500 : 200, { "content-type": "application/json" });
    reply.end(JSON.stringify(found ?? {}));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  http.createServer((asked, reply) => {
    const parts = [];
    asked.on("data", (part) => parts.push(part));
    asked.on("end", () => {
      told[asked.url.slice(1)] = JSON.parse(Buffer.concat(parts).toString());
      reply.end();
    });
  }).listen(port, "127.0.0.1");

  await create("services", "kube-system", { metadata: { name: "metrics" }, spec: { type: "ExternalName", externalName: "localhost" } });
  for (const group of ["metrics.k8s.io", "external.metrics.k8s.io"]) {
    await create("apiservices", "", {
      metadata: { name: `v1beta1.${group}` },
      spec: {
        group,
        version: "v1beta1",
        groupPriorityMinimum: 100,
        versionPriority: 100,
        insecureSkipTLSVerify: true,
        service: { name: "metrics", namespace: "kube-system", port: server.address().port },
      },
    });
  }
  await until("the metrics APIs", async () => {
    const services = await list("apiservices");
    return ["metrics.k8s.io", "external.metrics.k8s.io"].every((group) => services
      .find((one) => one.metadata.name === `v1beta1.${group}`)?.status?.conditions
      ?.some(({ type, status }) => type === "Available" && status === "True"));
  });
}

/** Tells the metrics server what a namespace uses. */
export async function tell(namespace, load) {
  await fetch(`http://127.0.0.1:${process.env.METRICS_PORT}/${namespace}`, { method: "PUT", body: JSON.stringify(load) });
}

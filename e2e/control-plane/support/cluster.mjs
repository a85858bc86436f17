// The control plane under test: its API, kubectl and Helm, and waiting.

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import https from "node:https";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../..");
export const chart = path.join(root, "helm/agenticai");

const kubeconfig = readFileSync(process.env.KUBECONFIG, "utf8");
const server = new URL(/server: "([^"]+)"/.exec(kubeconfig)[1]);
const token = /token: (\w+)/.exec(kubeconfig)[1];
const agent = new https.Agent({ keepAlive: true, rejectUnauthorized: false });

/** One request; answers `{status, body}`, the body parsed where it is JSON. */
export function request(method, url, body, type = "application/json") {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers = { authorization: `Bearer ${token}`, ...(text && { "content-type": type }) };
    const sent = https.request(new URL(url, server), { method, headers, agent }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => {
        const text = Buffer.concat(parts).toString();
        let parsed = text;
        try {
          parsed = JSON.parse(text);
        } catch {
          // Health and the like answer in plain text.
        }
        resolve({ status: answer.statusCode, body: parsed });
      });
    });
    sent.on("error", reject);
    sent.end(text);
  });
}

/** The answer to a request that must succeed. */
async function succeed(method, url, body, type) {
  const { status, body: answer } = await request(method, url, body, type);
  if (status >= 300) throw new Error(`${method} ${url}: ${status} ${answer.message ?? answer}`);
  return answer;
}

const places = {
  pods: "/api/v1", services: "/api/v1", configmaps: "/api/v1", secrets: "/api/v1", events: "/api/v1",
  persistentvolumeclaims: "/api/v1", persistentvolumes: "/api/v1", serviceaccounts: "/api/v1", namespaces: "/api/v1", nodes: "/api/v1",
  deployments: "/apis/apps/v1", statefulsets: "/apis/apps/v1", replicasets: "/apis/apps/v1",
  jobs: "/apis/batch/v1", cronjobs: "/apis/batch/v1",
  horizontalpodautoscalers: "/apis/autoscaling/v2", poddisruptionbudgets: "/apis/policy/v1",
  networkpolicies: "/apis/networking.k8s.io/v1", ingresses: "/apis/networking.k8s.io/v1",
  endpointslices: "/apis/discovery.k8s.io/v1", storageclasses: "/apis/storage.k8s.io/v1",
  priorityclasses: "/apis/scheduling.k8s.io/v1", apiservices: "/apis/apiregistration.k8s.io/v1",
};

/** The URL of a collection, or of one object of it. */
function urlOf(kind, namespace, name = "") {
  const scope = namespace ? `/namespaces/${namespace}` : "";
  return `${places[kind]}${scope}/${kind}${name && `/${name}`}`;
}

/** All objects of a kind, of one namespace and with these labels, if given. */
export async function list(kind, namespace, labels = {}) {
  const selector = Object.entries(labels).map(([key, value]) => `${key}=${value}`).join(",");
  const query = selector ? `?labelSelector=${encodeURIComponent(selector)}` : "";
  return (await succeed("GET", urlOf(kind, namespace) + query)).items;
}

export const get = (kind, namespace, name) => succeed("GET", urlOf(kind, namespace, name));
export const create = (kind, namespace, object) => succeed("POST", urlOf(kind, namespace), object);
export const patch = (kind, namespace, name, change) =>
  succeed("PATCH", urlOf(kind, namespace, name), change, "application/merge-patch+json");
export const scale = (kind, namespace, name, replicas) =>
  succeed("PATCH", `${urlOf(kind, namespace, name)}/scale`, { spec: { replicas } }, "application/merge-patch+json");

/** Pods of a component that are not on their way out. */
export async function podsOf(namespace, component) {
  const pods = await list("pods", namespace, component ? { "app.kubernetes.io/component": component } : {});
  return pods.filter((pod) => !pod.metadata.deletionTimestamp);
}

export const isReady = (pod) => pod.status.conditions?.some(({ type, status }) => type === "Ready" && status === "True");

/** A namespace that refuses every pod that is not restricted, or as the standard of the name given. */
export async function makeNamespace(name, labels = {}) {
  await create("namespaces", "", {
    metadata: { name, labels: { "pod-security.kubernetes.io/enforce": "restricted", ...labels } },
  });
  return name;
}

export async function deleteNamespace(name) {
  await request("DELETE", urlOf("namespaces", "", name));
}

/** Asks until the answer is one, and fails with the last answer's complaint where none comes. */
export async function until(what, ask, seconds = 60) {
  const end = Date.now() + seconds * 1000;
  let last = "nothing was asked";
  while (Date.now() < end) {
    try {
      const answer = await ask();
      if (answer) return answer;
      last = "not yet";
    } catch (error) {
      last = error.message;
    }
    await pause(0.3);
  }
  throw new Error(`${what}: not within ${seconds} s (${last})`);
}

export const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

const execute = promisify(execFile);

/** A command, with its input; answers `{status, out, err}` and never throws for the status. */
export async function command(file, args, { input, env } = {}) {
  const options = { maxBuffer: 1 << 28, env: { ...process.env, ...env } };
  const running = execute(file, args, options);
  if (input !== undefined) running.child.stdin.end(input);
  else running.child.stdin.end();
  try {
    const { stdout, stderr } = await running;
    return { status: 0, out: stdout, err: stderr };
  } catch (error) {
    if (typeof error.code !== "number") throw error;
    return { status: error.code, out: error.stdout, err: error.stderr };
  }
}

async function succeedAt(file, args, options) {
  const { status, out, err } = await command(file, args, options);
  if (status !== 0) throw new Error(`${path.basename(file)} ${args.join(" ")} ended with ${status}:\n${err || out}`);
  return out;
}

export const kubectl = (args, input) => succeedAt("kubectl", args, { input });

/** Helm of this major version. */
export const helm = (version, args) => succeedAt(version === 3 ? "helm3" : "helm", args);

/** deploy.sh with these options; answers `{status, out, err}`. */
export const deploy = (args, env) => command(path.join(root, "k8s/deploy.sh"), args, { env });

// Whether everything in a namespace has come to rest, and hangs together as the chart means it.

import { isReady, list, until } from "./cluster.mjs";

/** Waits until every workload has its replicas, every Job has ended and every claim has its volume. */
export async function settle(namespace, seconds = 300) {
  let open = [];
  try {
    await until(`namespace ${namespace} at rest`, async () => {
      open = await atWork(namespace);
      return open.length === 0;
    }, seconds);
  } catch (error) {
    const events = (await list("events", namespace)).filter(({ type }) => type === "Warning");
    const told = events.slice(-8).map(({ involvedObject: { kind, name }, reason, message }) => `${kind} ${name}: ${reason}: ${message}`);
    throw new Error(`${error.message}; open: ${open.join(", ")}\n${told.join("\n")}`);
  }
}

async function atWork(namespace) {
  const [deployments, statefulSets, jobs, claims] = await Promise.all(
    ["deployments", "statefulsets", "jobs", "persistentvolumeclaims"].map((kind) => list(kind, namespace)));
  const name = ({ metadata }) => metadata.name;
  const replicated = [...deployments, ...statefulSets].filter(({ metadata, spec, status }) =>
    status.observedGeneration !== metadata.generation || (status.updatedReplicas ?? 0) !== spec.replicas ||
    (status.readyReplicas ?? 0) !== spec.replicas || (status.replicas ?? 0) !== spec.replicas);
  return [
    ...replicated.map(name),
    ...jobs.filter(({ status }) => !status.completionTime).map(name),
    ...claims.filter(({ status }) => status.phase !== "Bound").map(name),
  ];
}

const matches = (selector, labels = {}) => Object.entries(selector).every(([key, value]) => labels[key] === value);

/**
 * Fails with everything in the namespace that names something which is not there, once controllers had time to look. Pods of
 * the components `elsewhere` are made by nobody here.
 */
export async function hangsTogether(namespace, elsewhere = []) {
  await until(`everything in namespace ${namespace} that is named`, async () => {
    const missing = await loose(namespace, elsewhere);
    if (missing.length) throw new Error(`missing: ${missing.join("; ")}`);
    return true;
  }, 60);
}

async function loose(namespace, elsewhere) {
  const kinds = ["pods", "secrets", "configmaps", "persistentvolumeclaims", "serviceaccounts", "services", "endpointslices",
    "poddisruptionbudgets", "networkpolicies", "horizontalpodautoscalers", "events"];
  const found = Object.fromEntries(await Promise.all(kinds.map(async (kind) => [kind, await list(kind, namespace)])));
  const classes = await list("priorityclasses");
  const has = (objects, name) => objects.find(({ metadata }) => metadata.name === name);
  const wrong = new Set();
  const wants = (what, there) => { if (!there) wrong.add(what); };

  for (const pod of found.pods) {
    const who = `pods of ${pod.metadata.labels["app.kubernetes.io/component"]}`;
    const { spec } = pod;
    wants(`${who}: ServiceAccount ${spec.serviceAccountName}`, has(found.serviceaccounts, spec.serviceAccountName));
    if (spec.priorityClassName) wants(`${who}: PriorityClass ${spec.priorityClassName}`, has(classes, spec.priorityClassName));
    const keyed = (kind, name, keys, optional) => {
      const object = has(found[kind], name);
      if (!object && optional) return;
      wants(`${who}: ${kind} ${name}`, object);
      for (const key of keys) wants(`${who}: key ${key} of ${kind} ${name}`, object && key in { ...object.data, ...object.stringData });
    };
    const source = ({ secret, configMap, persistentVolumeClaim }) => {
      if (secret) keyed("secrets", secret.secretName ?? secret.name, (secret.items ?? []).map(({ key }) => key), secret.optional);
      if (configMap) keyed("configmaps", configMap.name, (configMap.items ?? []).map(({ key }) => key), configMap.optional);
      if (persistentVolumeClaim) wants(`${who}: claim ${persistentVolumeClaim.claimName}`, has(found.persistentvolumeclaims, persistentVolumeClaim.claimName));
    };
    for (const volume of spec.volumes ?? []) {
      source(volume);
      (volume.projected?.sources ?? []).filter(({ configMap }) => configMap?.name !== "kube-root-ca.crt").forEach(source);
    }
    for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
      for (const { secretRef, configMapRef } of container.envFrom ?? []) {
        if (secretRef) keyed("secrets", secretRef.name, [], secretRef.optional);
        if (configMapRef) keyed("configmaps", configMapRef.name, [], configMapRef.optional);
      }
      for (const { valueFrom } of container.env ?? []) {
        const { secretKeyRef: secret, configMapKeyRef: map } = valueFrom ?? {};
        if (secret) keyed("secrets", secret.name, [secret.key], secret.optional);
        if (map) keyed("configmaps", map.name, [map.key], map.optional);
      }
    }
  }

  for (const { metadata: { name }, spec } of found.services) {
    if (!spec.selector) continue;
    const chosen = found.pods.filter((pod) => isReady(pod) && matches(spec.selector, pod.metadata.labels));
    wants(`Service ${name}: a pod that it selects`, chosen.length > 0);
    const slices = found.endpointslices.filter(({ metadata }) => metadata.labels["kubernetes.io/service-name"] === name);
    for (const port of spec.ports ?? []) {
      wants(`Service ${name}: a port ${port.targetPort} of the pods that it selects`,
        slices.some((slice) => (slice.ports ?? []).some((one) => (one.name ?? "") === (port.name ?? ""))));
      const number = typeof port.targetPort === "number";
      wants(`Service ${name}: a container that has port ${port.targetPort}`, !number || chosen.some((pod) =>
        pod.spec.containers.some(({ ports }) => ports?.some(({ containerPort }) => containerPort === port.targetPort))));
    }
  }
  for (const { metadata: { name }, status } of found.poddisruptionbudgets) {
    wants(`PodDisruptionBudget ${name}: pods that it covers`, status.expectedPods > 0);
    wants(`PodDisruptionBudget ${name}: a disruption that it allows`, status.disruptionsAllowed > 0);
  }
  for (const { metadata: { name, labels: own }, spec } of found.networkpolicies) {
    if (elsewhere.includes(own["app.kubernetes.io/component"])) continue;
    const labels = spec.podSelector.matchLabels ?? {};
    wants(`NetworkPolicy ${name}: pods that it covers`, found.pods.some((pod) => matches(labels, pod.metadata.labels)));
  }
  for (const { metadata: { name }, status } of found.horizontalpodautoscalers) {
    wants(`HorizontalPodAutoscaler ${name}: a target that it may scale`, status.conditions?.some(({ type, status }) => type === "AbleToScale" && status === "True"));
  }
  for (const { reason, message } of found.events.filter(({ reason }) => ["FailedCreate", "FailedScheduling"].includes(reason))) {
    // A volume is made a moment after its claim, and an object that waits for another tries again.
    if (!/unbound|not found|being deleted|didn't find available persistent volumes/.test(message)) wrong.add(`event ${reason}: ${message}`);
  }
  return [...wrong];
}

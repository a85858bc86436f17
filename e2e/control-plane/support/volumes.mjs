// Storage of the test's cluster: a default class that gives volumes to one node at a time, and `shared`, which gives them
// to many. Whoever asks the first for ReadWriteMany waits for ever, as in most clusters.

import { create, list, until } from "./cluster.mjs";

const classes = { standard: ["ReadWriteOnce", "ReadWriteOncePod"], shared: ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany"] };

export async function makeStorageClasses() {
  for (const name of Object.keys(classes)) {
    await create("storageclasses", "", {
      metadata: { name, annotations: { "storageclass.kubernetes.io/is-default-class": String(name === "standard") } },
      provisioner: "example.com/none",
      volumeBindingMode: "Immediate",
    });
  }
}

/** Makes a volume for every claim that waits for one, for as long as the process lives. */
export async function provision() {
  const made = new Set();
  for (;;) {
    await until("claims", async () => {
      for (const claim of await list("persistentvolumeclaims")) {
        const { uid, name, namespace } = claim.metadata;
        const { storageClassName, accessModes, resources, selector } = claim.spec;
        const offered = classes[storageClassName];
        if (claim.status.phase !== "Pending" || made.has(uid) || selector || !offered) continue;
        if (!accessModes.every((mode) => offered.includes(mode))) continue;
        made.add(uid);
        await create("persistentvolumes", "", {
          metadata: { name: `volume-${uid}` },
          spec: {
            capacity: { storage: resources.requests.storage },
            accessModes,
            storageClassName,
            persistentVolumeReclaimPolicy: "Delete",
            claimRef: { apiVersion: "v1", kind: "PersistentVolumeClaim", name, namespace, uid },
            hostPath: { path: `/volumes/${uid}` },
          },
        });
      }
      return false;
    }, 3600).catch((error) => process.stderr.write(`${error.message}\n`));
  }
}

// What a cluster has beside its control plane: volumes and metrics. Runs until it is stopped, and says when it is ready.

import { serveMetrics } from "./metrics.mjs";
import { makeStorageClasses, provision } from "./volumes.mjs";

const [directory, port] = process.argv.slice(2);
await makeStorageClasses();
provision();
await serveMetrics(directory, Number(port));
process.stdout.write("ready\n");

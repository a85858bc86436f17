// What a cluster has beside its control plane: volumes, metrics, and a program behind the addresses of the API's pods. Runs
// until it is stopped, and says when it is ready.

import net from "node:net";

import { serveMetrics } from "./metrics.mjs";
import { makeStorageClasses, provision } from "./volumes.mjs";

const [directory, port] = process.argv.slice(2);
await makeStorageClasses();
provision();
await serveMetrics(directory, Number(port));

// `agenticai up` listens on the loopback address alone.
net.createServer((client) => {
  const program = net.connect(8001, "127.0.0.1");
  client.on("error", () => program.destroy());
  program.on("error", () => client.destroy());
  client.pipe(program).pipe(client);
}).listen(8000, "0.0.0.0");
process.stdout.write("ready\n");

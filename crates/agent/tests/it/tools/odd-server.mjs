// An MCP server over standard input and output that does what no server should. It has no dependencies, and lists its
// tools one per page.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const tools = ["meta", "die", "hang", "fail", "big", "helper", "env", "blocks", "bad name/ü"].map((name) => ({
  name,
  description: `does ${name}`,
  inputSchema: { type: "object" },
  annotations: { readOnlyHint: true, idempotentHint: true },
}));

const send = (message) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", ...message }) + "\n");
const text = (text) => ({ content: [{ type: "text", text }] });

const perform = (params) => {
  switch (params.name) {
    case "meta": return text(JSON.stringify(params._meta));
    case "env": return text(JSON.stringify(process.env));
    case "big": return text("x".repeat(1_000_000));
    case "fail": return { ...text("it broke"), isError: true };
    case "blocks": return {
      content: [
        { type: "text", text: "one\u0000" },
        { type: "image", data: "aGk=", mimeType: "image/png" },
        { type: "resource", resource: { uri: "file:///a", text: "two" } },
      ],
    };
    case "helper": {
      const helper = spawn("sleep", ["1000"], { stdio: "ignore" });
      return text(`${helper.pid}`);
    }
    case "die": return process.exit(1);
    case "bad name/ü": return text("named");
    default: return undefined;
  }
};

createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, method, params } = JSON.parse(line);
  // More than a pipe holds: whoever does not read standard error blocks the server.
  if (method === "initialize") process.stderr.write("noise\n".repeat(20_000));
  switch (method) {
    case "initialize":
      return send({
        id,
        result: { protocolVersion: "2025-11-25", capabilities: { tools: {} }, serverInfo: { name: "odd", version: "1" } },
      });
    case "tools/list": {
      const at = Number(params?.cursor ?? 0);
      const nextCursor = at + 1 < tools.length ? `${at + 1}` : undefined;
      return send({ id, result: { tools: [tools[at]], nextCursor } });
    }
    case "tools/call": {
      send({ method: "notifications/message", params: { level: "info", data: "called" } });
      send({ method: "notifications/progress", params: { progressToken: params._meta.progressToken, progress: 1 } });
      const result = perform(params);
      return result === undefined ? undefined : send({ id, result });
    }
  }
});

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { memoryOf } from "../helpers/engine-process.ts";
import { openHttp2Watches } from "./raw-watch.ts";

/** How much a server with a queue for each reader grows when so many do not read so many kilobytes. In bytes. */
export async function growthOfQueues(readers: number, kilobytes: number): Promise<number> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "queue-server.ts")], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  try {
    const lines = createInterface({ input: child.stdout });
    const [ready] = (await once(lines, "line")) as [string];
    const { session } = await openHttp2Watches(
      { url: ready.replace("READY ", ""), token: "none", sessionId: "none" },
      readers,
    );
    const before = memoryOf(child.pid ?? 0);
    const said = once(lines, "line");
    child.stdin.write(`${kilobytes}\n`);
    await said;
    const growth = memoryOf(child.pid ?? 0) - before;
    session.destroy();
    return growth;
  } finally {
    child.kill("SIGKILL");
  }
}

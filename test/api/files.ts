import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestEngine } from "./test-engine.ts";

/** Uploads bytes as one blob. */
export async function upload(engine: TestEngine, bytes: string | Uint8Array<ArrayBuffer>): Promise<string> {
  const headers = { authorization: `Bearer ${engine.token}` };
  const response = await fetch(`${engine.url}/blobs`, { method: "POST", headers, body: bytes });
  return ((await response.json()) as { sha256: string }).sha256;
}

/** The whole file of an export. */
export async function exported(engine: TestEngine, sessionIds: readonly string[] = []): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const { data } of engine.sessions.exportSessions({ sessionIds: [...sessionIds] })) pieces.push(data);
  return Buffer.concat(pieces).toString();
}

/** Imports a file that is uploaded as one blob. */
export async function importFile(engine: TestEngine, file: string | Uint8Array<ArrayBuffer>, idempotencyKey = "") {
  return engine.sessions.importSessions({ idempotencyKey, blobs: [await upload(engine, file)] });
}

/** Writes an agent definition of the engine's owner; `settings` are lines of YAML. */
export async function writeAgent(
  { dataDir }: Pick<TestEngine, "dataDir">,
  name: string,
  settings = "",
  instructions = `You are ${name}.`,
): Promise<void> {
  await mkdir(join(dataDir, "agents"), { recursive: true });
  const text = `---\ndescription: the agent ${name}\n${settings}\n---\n${instructions}\n`;
  await writeFile(join(dataDir, "agents", `${name}.md`), text);
}

// Starts the engine as `bin/parley serve` does, with what a fault test needs besides: tools that leave a mark, or a store
// that breaks a promise. Takes the same arguments.
import { appendFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import Sqlite from "better-sqlite3";
import { readConfig } from "../../src/config.ts";
import { type EngineParts, startEngine } from "../../src/engine.ts";
import { installShutdown } from "../../src/server/shutdown.ts";
import type { Tool } from "../../src/tool/tool.ts";
import { createWriteFileTool } from "../../src/tool/file/write-file.ts";
import type { AroundChange } from "../../src/workspace/file-change.ts";
import { createFiles } from "../../src/workspace/files.ts";
import { createPathGuard } from "../../src/workspace/path-guard.ts";
import { openAuditApart } from "./audit-apart.ts";
import { openPublishEarly } from "./publish-early.ts";
import { openQueueApart } from "./queue-apart.ts";

const { values } = parseArgs({
  allowPositionals: true,
  options: { "data-dir": { type: "string" }, port: { type: "string" } },
});

const variants: Readonly<Record<string, () => EngineParts>> = {
  "": () => ({}),
  "audit-apart": () => ({ openDatabase: openAuditApart }),
  "publish-early": () => ({ openDatabase: openPublishEarly }),
  "leaves-queue-first": () => ({ openDatabase: (path, clock) => openQueueApart(path, clock, "before") }),
  "leaves-queue-later": () => ({ openDatabase: (path, clock) => openQueueApart(path, clock, "after") }),
  "synchronous-normal": () => {
    letSynchronousBeNormal();
    return {};
  },
};

const parts = variants[process.env["PARLEY_FAULT_VARIANT"] ?? ""];
if (parts === undefined) throw new Error("no such PARLEY_FAULT_VARIANT");
const marks = process.env["PARLEY_FAULT_MARKS"];
const config = readConfig(process.env, { dataDir: values["data-dir"], port: values.port });
const tools = [
  ...(marks === undefined ? [] : [markTool(marks)]),
  ...(process.env["PARLEY_FAULT_WRITER"] === undefined ? [] : [await writeFirstTool(config.dataDir)]),
];
const engine = await startEngine(config, { ...parts(), tools });
installShutdown({ close: () => engine.close(), exit: (code) => process.exit(code) });
process.stdout.write(`READY ${engine.url}\n`);

/** A tool whose every run can be counted afterwards, also one that was cut off in the middle. */
function markTool(file: string): Tool {
  return {
    name: "mark",
    description: "Leaves a mark.",
    parameters: { type: "object", properties: {} },
    assess: () => ({ risk: { level: "none", reason: "it touches nothing" }, subjects: [] }),
    async run(_args, { callId, signal }) {
      appendFileSync(file, `${callId}\n`);
      await pause(Math.random() * 20, undefined, { signal });
      return { text: "marked" };
    },
  };
}

/** As `write_file`, but what a file was is kept only when it is written. */
async function writeFirstTool(dataDir: string): Promise<Tool> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const tool = createWriteFileTool(createFiles(await createPathGuard(dataDir, () => true)));
  return {
    ...tool,
    name: "write_first",
    run: (args, context) => {
      const changes: AroundChange = async (change, make) => {
        await make();
        await context.changes(change, async () => undefined);
      };
      return tool.run(args, { ...context, changes });
    },
  };
}

/** Lets the store believe that it set FULL. */
function letSynchronousBeNormal(): void {
  // oxlint-disable-next-line typescript/no-deprecated -- the one place where the setting can be kept from arriving
  const pragma = Sqlite.prototype.pragma;
  Sqlite.prototype.pragma = function (source, options) {
    if (source === "synchronous") return 2;
    return pragma.call(this, source === "synchronous = FULL" ? "synchronous = NORMAL" : source, options);
  };
}

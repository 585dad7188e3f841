import { fromBinary } from "@bufbuild/protobuf";
import { EventSchema } from "../client/client.ts";
import { readDataDir, readSandboxConfig } from "../config.ts";
import { examine } from "../doctor/examine.ts";
import type { Finding } from "../doctor/finding.ts";
import type { StoredEvent } from "../doctor/log-checks.ts";
import { checkSandbox } from "../doctor/sandbox-check.ts";
import type { Context } from "./context.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";
import { formatTable } from "./view/format.ts";

/** Says how everything in the data directory is, and whether commands can be put into a sandbox; 1 where something is broken. */
export async function doctor(context: Context): Promise<ExitCode> {
  const { env, globals, out, json } = context;
  const dataDir = readDataDir(env, globals.dataDir);
  const findings = [...examine(dataDir, readEvent), await checkSandbox(readSandboxConfig(env))];
  const isWell = findings.every(({ state }) => state !== "failed");
  if (json) {
    out.write(`${JSON.stringify({ ok: isWell, dataDir, findings })}\n`);
  } else {
    const rows = findings.map((finding) => [marked(finding, context), finding.name, out.foreignLine(finding.detail)]);
    for (const row of formatTable(rows)) out.write(`${row}\n`);
  }
  return isWell ? EXIT.ok : EXIT.failed;
}

function marked({ state }: Finding, { out }: Context): string {
  switch (state) {
    case "ok":
      return out.style.green("ok");
    case "warning":
      return out.style.yellow("warning");
    case "failed":
      return out.style.red("FAILED");
  }
}

/** What the doctor has to know of an event. */
export function readEvent(bytes: Uint8Array): StoredEvent {
  const { payload } = fromBinary(EventSchema, bytes);
  switch (payload.case) {
    case "historyCleared":
      return { kind: "history_cleared" };
    case "messageStarted":
      return { kind: "opened", id: payload.value.messageId };
    case "messageCompleted":
      return { kind: "message_completed", messageId: payload.value.message?.id ?? "" };
    case "toolCallStarted":
      return { kind: "opened", id: payload.value.callId };
    case "toolCallEnded":
      return { kind: "closed", id: payload.value.callId };
    case undefined:
      throw new Error("it has no payload");
    case "turnStarted":
    case "turnEnded":
    case "stepStarted":
    case "textDelta":
    case "reasoningDelta":
    case "messageUpdated":
    case "toolCallRequested":
    case "usageReported":
    case "toolOutputDelta":
    case "todoChanged":
    case "fileChanged":
    case "filesReverted":
    case "retryScheduled":
    case "modelChanged":
    case "queueChanged":
    case "requestOpened":
    case "requestResolved":
    case "sessionChanged":
    case "warning":
      return { kind: "other" };
  }
}

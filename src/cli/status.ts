import { toJsonString } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type GetStatusResponse,
  GetStatusResponseSchema,
  type Profile,
  type SandboxInfo,
  SandboxMode,
  SessionState,
} from "../client/client.ts";
import type { Context } from "./context.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";
import { formatBytes, formatCount, formatSpan, formatTable } from "./view/format.ts";

/** An engine that does not tell its state by then is not well. */
const TIMEOUT_MS = 10_000;

export async function status(context: Context): Promise<ExitCode> {
  const { out, json } = context;
  const client = await context.client();
  const found = await client.engine.getStatus({}, { timeoutMs: TIMEOUT_MS });
  if (json) {
    out.write(`${toJsonString(GetStatusResponseSchema, found)}\n`);
    return EXIT.ok;
  }
  const { dim } = out.style;
  const rows = statusRows(found, client.url, Date.now(), out.foreignLine).map(([name, value]) =>
    [dim(name.padEnd(9)), value].join(""),
  );
  out.write(`${rows.join("\n")}\n`);
  const profiles = formatTable(found.profiles.map((profile) => profileRow(profile, out.foreignLine)));
  profiles.forEach((row, index) => out.write(`${dim((index === 0 ? "profiles" : "").padEnd(9))}${row.trimEnd()}\n`));
  return EXIT.ok;
}

function statusRows(
  found: GetStatusResponse,
  url: string,
  nowMs: number,
  safe: (text: string) => string,
): [string, string][] {
  const total = found.sessionCounts.reduce((sum, { count }) => sum + count, 0n);
  const countOf = (wanted: SessionState): bigint =>
    found.sessionCounts.find(({ state }) => state === wanted)?.count ?? 0n;
  const running = countOf(SessionState.RUNNING);
  const waiting = countOf(SessionState.WAITING);
  const waitingText = waiting === 0n ? "" : `, ${waiting} waiting for a human`;
  const up = found.startTime === undefined ? "" : `, up ${formatSpan(nowMs - timestampMs(found.startTime))}`;
  return [
    ["engine", `parley ${found.version} at ${url}${up}`],
    ["sessions", `${formatCount(total, "session")}, ${running} running${waitingText}`],
    ["requests", formatCount(found.openRequests, "open request")],
    ["streams", formatCount(found.readers, "reader")],
    ["store", `${formatBytes(found.storeBytes)} on disk`],
    ["memory", formatBytes(found.memoryBytes)],
    ...(found.sandbox === undefined ? [] : [["sandbox", safe(describeSandbox(found.sandbox))] as [string, string]]),
  ];
}

function describeSandbox({ mode, active, kind, reason }: SandboxInfo): string {
  if (mode === SandboxMode.OFF) return "off: commands run as they are";
  return active ? `${kind}, for every command` : `none: ${reason}; commands run as they are`;
}

function profileRow(profile: Profile, safe: (text: string) => string): string[] {
  const notes = [profile.isDefault && "default", !profile.hasKey && "no key"].filter((note) => note !== false);
  return [safe(profile.name), safe(profile.model), safe(profile.baseUrl), notes.join(", ")];
}

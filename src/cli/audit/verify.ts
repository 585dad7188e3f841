import { readDataDir } from "../../config.ts";
import { verifyAudit } from "../../doctor/audit-checks.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { UsageError } from "../failure.ts";

/** Follows the audit log in the data directory, also beside the engine that writes it; 1 where somebody has been at it. */
export async function verify(
  context: Context,
  { head = [] }: { readonly head?: readonly string[] },
): Promise<ExitCode> {
  const { env, globals, out, json } = context;
  if (globals.url !== undefined) {
    throw new UsageError("the audit log is verified where it is: run this on the engine's machine, without --url");
  }
  const { count, end, problems } = verifyAudit(readDataDir(env, globals.dataDir), head);
  const endText = `${end.seq}:${Buffer.from(end.hash).toString("hex")}`;
  if (json) {
    out.write(`${JSON.stringify({ ok: problems.length === 0, entries: count, head: endText, problems })}\n`);
  } else if (problems.length === 0) {
    out.write(
      `${out.style.green("ok")}  ${count.toLocaleString("en-US")} ${count === 1 ? "entry" : "entries"}; nothing was changed or taken out\n`,
    );
    out.write(`the last is ${endText}\n`);
  } else {
    for (const problem of problems) out.write(`${out.style.red("FAILED")}  ${out.foreignLine(problem)}\n`);
  }
  return problems.length === 0 ? EXIT.ok : EXIT.failed;
}

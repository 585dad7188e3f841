import type { DeleteFailure } from "../../client/client.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { resolveSessions } from "../session-ref.ts";

/** What one call takes. */
const BATCH = 1000;
/** Each session's turn is waited for up to 10 s. */
const TIMEOUT_MS = 600_000;

/** All that can be deleted are; those that cannot are told, and make it end as refused. */
export async function deleteSessions(context: Context, given: readonly string[]): Promise<ExitCode> {
  const { out, err, json } = context;
  const client = await context.client();
  const ids = [...new Set(await resolveSessions(client, given))];
  const failures: DeleteFailure[] = [];
  for (let at = 0; at < ids.length; at += BATCH) {
    const sessionIds = ids.slice(at, at + BATCH);
    const done = await client.sessions.batchDeleteSessions({ sessionIds }, { timeoutMs: TIMEOUT_MS });
    for (const id of done.deletedIds) out.write(json ? `${JSON.stringify({ deleted: id })}\n` : `deleted ${id}\n`);
    failures.push(...done.failures);
  }
  for (const { sessionId, reason, message } of failures) {
    if (json) out.write(`${JSON.stringify({ failed: sessionId, reason, message })}\n`);
    else err.write(`${err.style.red("parley:")} ${err.foreignLine(message)}\n`);
  }
  return failures.length === 0 ? EXIT.ok : EXIT.refused;
}

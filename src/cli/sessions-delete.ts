import type { Context } from "./context.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";

/** In the order given; stops at the first that cannot be deleted. */
export async function deleteSessions(context: Context, sessionIds: readonly string[]): Promise<ExitCode> {
  const { out, json } = context;
  const client = await context.client();
  for (const sessionId of sessionIds) {
    await client.sessions.deleteSession({ sessionId });
    out.write(json ? `${JSON.stringify({ deleted: sessionId })}\n` : `deleted ${sessionId}\n`);
  }
  return EXIT.ok;
}

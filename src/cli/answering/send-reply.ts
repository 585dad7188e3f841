import { randomUUID } from "node:crypto";
import { type Client, type Request } from "../../client/client.ts";
import { tryAgain } from "../try-again.ts";
import type { Reply } from "./reply.ts";

/** Answers a request: once, however often the engine is away meanwhile. */
export async function sendReply(
  client: Client,
  { id: requestId }: Request,
  reply: Reply,
  signal: AbortSignal,
): Promise<Request> {
  const idempotencyKey = randomUUID();
  const { request } = await tryAgain(async () => {
    if (reply.kind === "answer") {
      return client.requests.respondRequest({ requestId, idempotencyKey, answer: reply.answer }, { signal });
    }
    const { decision, scope, rule, args, reason = "" } = reply;
    return client.permissions.resolvePermission(
      {
        requestId,
        idempotencyKey,
        decision,
        reason,
        ...(scope !== undefined && { scope }),
        ...(rule !== undefined && { rule }),
        ...(args !== undefined && { arguments: args }),
      },
      { signal },
    );
  }, signal);
  if (request === undefined) throw new Error("the engine returned no request");
  return request;
}

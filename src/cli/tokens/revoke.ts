import type { Client } from "../../client/client.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { readTokens } from "./list.ts";

/** In the order given; stops at the first that cannot be revoked. */
export async function revokeTokens(context: Context, refs: readonly string[]): Promise<ExitCode> {
  const { out, json } = context;
  const client = await context.client();
  for (const ref of refs) {
    const tokenId = await findId(client, ref);
    await client.engine.revokeToken({ tokenId });
    out.write(json ? `${JSON.stringify({ revoked: tokenId })}\n` : `revoked ${out.foreignLine(ref)}\n`);
  }
  return EXIT.ok;
}

/** A name is as good as an id: it belongs to one living token. What is neither is asked for as an id, and refused. */
async function findId(client: Client, ref: string): Promise<string> {
  if (ref.startsWith("tok_")) return ref;
  for await (const { id, name } of readTokens(client)) if (name.toLowerCase() === ref.toLowerCase()) return id;
  return ref;
}

import { toJsonString } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Access_Scope, CreateTokenResponseSchema } from "../../client/client.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";

const SCOPES = { read: Access_Scope.READ, operate: Access_Scope.OPERATE, admin: Access_Scope.ADMIN } as const;

export interface CreateTokenOptions {
  readonly scope: keyof typeof SCOPES;
  /** In milliseconds. */
  readonly lifetime?: number;
}

/** stdout gets the secret and nothing else, so that it can go where it is needed without being seen. */
export async function createToken(
  context: Context,
  name: string,
  { scope, lifetime }: CreateTokenOptions,
): Promise<ExitCode> {
  const { out, err, json } = context;
  const client = await context.client();
  const answer = await client.engine.createToken({
    name,
    scope: SCOPES[scope],
    ...(lifetime !== undefined && { lifetime: durationFromMs(lifetime) }),
  });
  if (json) {
    out.write(`${toJsonString(CreateTokenResponseSchema, answer)}\n`);
    return EXIT.ok;
  }
  out.write(`${answer.secret}\n`);
  if (err.isTerminal) context.note("it is shown only now; programs take it as PARLEY_TOKEN");
  return EXIT.ok;
}

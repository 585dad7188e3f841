import { MAX_ANSWER_BYTES } from "./hook-answer.ts";
import { HookFailed } from "./hook.ts";

/** Sends a document to a URL and returns what is answered. Throws `HookFailed`, and the signal's reason. */
export async function callUrl(
  { url, headers }: { readonly url: string; readonly headers: Readonly<Record<string, string>> },
  body: string,
  signal: AbortSignal,
): Promise<string> {
  try {
    // Redirects are not followed: they would take what it is told, and its headers, to somebody who was never named.
    const init = { method: "POST", headers: { "content-type": "application/json", ...headers }, body, signal };
    const response = await fetch(url, { ...init, redirect: "manual" });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new HookFailed(`it answered with HTTP status ${response.status}`);
    }
    return await readText(response);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HookFailed) throw error;
    const { code } = ((error as Error).cause ?? {}) as { readonly code?: unknown };
    throw new HookFailed(`it cannot be reached (${typeof code === "string" ? code : "the connection failed"})`);
  }
}

async function readText(response: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    pieces.push(piece);
    bytes += piece.length;
    // Leaving the loop cancels the rest.
    if (bytes > MAX_ANSWER_BYTES) throw new HookFailed(`it answered more than ${MAX_ANSWER_BYTES} bytes`);
  }
  return Buffer.concat(pieces).toString("utf8");
}

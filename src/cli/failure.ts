import { Code, ConnectError } from "@connectrpc/connect";
import { DomainError, reasonOf } from "../client/client.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";

/** What to tell of an error, and how to end. */
export interface Failure {
  /** What went wrong; what to do. One line. */
  readonly text: string;
  readonly exitCode: ExitCode;
}

/** What was typed is wrong. */
export class UsageError extends Error {}

/** What was named is not there. */
export class NotThereError extends Error {}

export function failureOf(error: unknown): Failure {
  if (error instanceof UsageError) return { text: error.message, exitCode: EXIT.usage };
  if (error instanceof NotThereError) return { text: error.message, exitCode: EXIT.refused };
  if (error instanceof ConnectError) return ofCall(error);
  if (error instanceof DomainError) {
    if (error.reason === "INVALID_CONFIG") return { text: error.message, exitCode: EXIT.usage };
    return { text: error.message, exitCode: error.code === "unavailable" ? EXIT.noEngine : EXIT.failed };
  }
  return { text: error instanceof Error ? error.message : String(error), exitCode: EXIT.failed };
}

function ofCall(error: ConnectError): Failure {
  const { reason, metadata = {} } = reasonOf(error) ?? {};
  if (reason === undefined && /certificate/.test(error.rawMessage)) {
    const [what] = error.rawMessage.split("; ");
    const mend = "name the CA that vouches for it with --tls-ca FILE or PARLEY_TLS_CA";
    return { text: `the engine's certificate is not believed (${what}); ${mend}`, exitCode: EXIT.noEngine };
  }
  if (error.code === Code.Unavailable || (error.code === Code.DeadlineExceeded && reason === undefined)) {
    return { text: unreachable(error, reason), exitCode: EXIT.noEngine };
  }
  // What broke on the way has no reason: nobody refused it.
  if (reason === undefined && (error.code === Code.Aborted || error.code === Code.Internal)) {
    return { text: `the connection to the engine broke (${error.rawMessage}); try again`, exitCode: EXIT.noEngine };
  }
  const hint =
    SETTING_HINTS[metadata["setting"] ?? ""] ??
    (reason && HINTS[reason]) ??
    (error.code === Code.Unauthenticated ? HINTS["UNAUTHENTICATED"] : undefined);
  // The engine advises programs; a human at a terminal has commands.
  const [what = ""] = error.rawMessage.split("; ");
  return { text: hint === undefined ? error.rawMessage : `${what}; ${hint}`, exitCode: EXIT.refused };
}

function unreachable(error: ConnectError, reason: string | undefined): string {
  if (error.cause instanceof DomainError) return error.cause.message;
  if (reason === "ENGINE_STOPPING") return "the engine is stopping; start it again with `parley serve`";
  return `no engine answers (${error.rawMessage}); start one with \`parley serve\`, or check --url and PARLEY_URL`;
}

/** What to do next, where the engine's own words do not say it. */
const HINTS: Readonly<Record<string, string>> = {
  UNAUTHENTICATED: "set PARLEY_TOKEN to the engine's token, which `parley token` prints where it runs",
  TOKEN_NOT_FOUND: "`parley tokens list` shows what there is",
  TOKEN_NAME_TAKEN: "take another name, or revoke that one first",
  TOKEN_REVOKED: "ask for a new one, or make one with `parley tokens create`",
  SCOPE_INSUFFICIENT: "use a token of that scope, or the engine's own, which `parley token` prints",
  SESSION_NOT_FOUND: "`parley sessions list` shows what there is",
  SESSION_BUSY: "wait for its turn to end, or see it with `parley watch`",
  PROFILE_NOT_FOUND: "`parley status` shows the profiles",
  MESSAGE_NOT_FOUND: "`parley sessions show --ids` shows the messages with their ids",
  QUEUE_FULL: "wait for one to be taken up, or take one out",
  REQUEST_NOT_FOUND: "`parley requests list` shows what is open",
  AGENT_NOT_FOUND: "`parley agents` shows which there are; those of a workspace count once it is trusted",
  QUEUED_NOT_FOUND: "it was taken up already",
};

/** Where the engine refuses what another setting would let. */
const SETTING_HINTS: Readonly<Record<string, string>> = {
  approval_mode: "`parley run --approve none|edits|all` says itself what may run unasked",
};

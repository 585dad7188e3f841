import type { IncomingHttpHeaders } from "node:http";
import { ModelError, type ModelErrorReason } from "../model.ts";
import { parseRetryAfter } from "./retry-after.ts";

/** What the provider said of what went wrong. */
class ApiFailure extends Error {
  override readonly name = "ApiFailure";
  /** Undefined where it came in the stream. */
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly code: unknown;
  readonly type: unknown;

  constructor(error: unknown, status?: number, headers: IncomingHttpHeaders = {}) {
    super(wordsOf(error));
    this.status = status;
    this.headers = headers;
    this.code = fieldOf(error, "code");
    this.type = fieldOf(error, "type");
  }
}

/** An answer that is an error, with its text: OpenAI's JSON, another's, a page, or nothing. */
export function failedAnswer(status: number, headers: IncomingHttpHeaders, text: string): Error {
  return new ApiFailure(errorIn(text), status, headers);
}

/** An error that the provider sent in the middle of its stream. */
export function streamFailure(error: unknown): Error {
  return new ApiFailure(error);
}

function errorIn(text: string): unknown {
  try {
    return fieldOf(JSON.parse(text), "error");
  } catch {
    return text;
  }
}

function wordsOf(error: unknown): string {
  const told = fieldOf(error, "message") ?? error ?? "";
  return typeof told === "string" ? told : JSON.stringify(told);
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

/** What an error is told with. */
export interface ErrorContext {
  /** The provider's host, to be named. */
  readonly host: string;
  /** Not to be named. */
  readonly apiKey: string | undefined;
  readonly nowMs: number;
  /** Whether the provider's stream had begun. */
  readonly isStreaming: boolean;
}

/** As much of a provider's text as an error holds. */
const MAX_PROVIDER_TEXT = 500;

/** Whatever a call threw, as a ModelError. The original is not kept as its cause: it may quote the key. */
export function toModelError(error: unknown, context: ErrorContext): ModelError {
  if (error instanceof ModelError) return error;
  if (error instanceof ApiFailure) return fromApi(error, context);
  const { host, isStreaming } = context;
  // A TypeError: JSON of another shape than is taken for granted.
  if (error instanceof SyntaxError || (isStreaming && error instanceof TypeError)) {
    return new ModelError("PROVIDER_GARBAGE", `${host} sent a stream that cannot be read`, { retryable: true });
  }
  if (isStreaming) {
    const message = `the connection to ${host} broke in the middle of the answer (${codeOf(error)})`;
    return new ModelError("PROVIDER_BROKE_OFF", message, { retryable: true });
  }
  const code = codeOf(error);
  // A base URL that is none, or a certificate that is not trusted, stays so.
  const retryable = !/^ERR_INVALID_|CERT/.test(code);
  return new ModelError("PROVIDER_UNREACHABLE", `cannot reach ${host} (${code})`, { retryable });
}

function fromApi(failure: ApiFailure, context: ErrorContext): ModelError {
  const { reason, retryable, words } = judge(failure);
  const told = clean(failure.message, context.apiKey);
  const status = failure.status === undefined ? "" : ` (${failure.status})`;
  const message = `${context.host} ${words}${status}${told === "" ? "" : `: ${told}`}`;
  const retryAfterMs = parseRetryAfter(failure.headers, context.nowMs);
  return new ModelError(reason, message, { retryable, retryAfterMs: retryable ? retryAfterMs : undefined });
}

interface Judgement {
  readonly reason: ModelErrorReason;
  readonly retryable: boolean;
  readonly words: string;
}

/** What a failure means. Statuses as OpenAI documents them under "Error codes"; the codes decide where there is no status. */
function judge(failure: ApiFailure): Judgement {
  const { status } = failure;
  if (status === 401 || status === 403) {
    return { reason: "PROVIDER_UNAUTHORIZED", retryable: false, words: "refuses the key" };
  }
  if (isContextExceeded(failure)) {
    return {
      reason: "CONTEXT_EXCEEDED",
      retryable: false,
      words: "says that the conversation is too long for this model",
    };
  }
  // Answered with 429 like a rate limit, but no waiting helps.
  if (hasCode(failure, "insufficient_quota")) {
    return { reason: "PROVIDER_RATE_LIMITED", retryable: false, words: "says that the quota is used up" };
  }
  if (status === 429 || hasCode(failure, "rate_limit_exceeded")) {
    return { reason: "PROVIDER_RATE_LIMITED", retryable: true, words: "says that there are too many requests" };
  }
  if (status === undefined || status >= 500 || status === 408 || status === 409) {
    return { reason: "PROVIDER_ERROR", retryable: true, words: "failed" };
  }
  if (status < 400)
    return { reason: "PROVIDER_REFUSED", retryable: false, words: "wants the call elsewhere; set its base URL" };
  return { reason: "PROVIDER_REFUSED", retryable: false, words: "refuses the call" };
}

/** Compatible servers have no code for this; their words differ, these are in all that were seen. */
function isContextExceeded(failure: ApiFailure): boolean {
  if (hasCode(failure, "context_length_exceeded")) return true;
  if (failure.status !== undefined && failure.status !== 400 && failure.status !== 413 && failure.status !== 422)
    return false;
  return /context[ _-]?(length|window|size)|maximum context|prompt is too long|too many tokens/i.test(failure.message);
}

function hasCode({ code, type }: ApiFailure, name: string): boolean {
  return code === name || type === name;
}

/** One line of plain text without the key, whole or as providers quote it (sk-ab***yz). */
function clean(text: string, apiKey: string | undefined): string {
  const plain = /^\s*</.test(text) ? text.replaceAll(/<(style|script)[^]*?<\/\1>|<[^>]*>/gi, " ") : text;
  const hidden = apiKey === undefined || apiKey === "" ? plain : plain.replaceAll(apiKey, "[redacted]");
  const line = hidden
    .replaceAll(/\bBearer\s+[^\s"',]+/gi, "Bearer [redacted]")
    .replaceAll(/\b(sk|pk|rk|xai|gsk|key)-[\w*.-]{4,}/gi, "[redacted]")
    .replaceAll(/\s+/g, " ")
    .trim();
  return line.slice(0, MAX_PROVIDER_TEXT).toWellFormed();
}

/** The system's name for what failed, ECONNREFUSED or so: the outermost error only wraps it. */
function codeOf(error: unknown): string {
  for (let current = error; current instanceof Error; current = current.cause) {
    if ("code" in current && typeof current.code === "string") return current.code;
  }
  return "connection closed";
}

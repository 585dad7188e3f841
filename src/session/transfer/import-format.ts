import { checkSize } from "../../message/message-size.ts";
import type { Image, Message, Part, Role } from "../../message/message.ts";
import { isToolArguments } from "../../message/tool-arguments.ts";
import {
  flag,
  listOf,
  mapOf,
  object,
  oneOf,
  plainObject,
  ShapeError,
  text,
  whole,
  type Shape,
} from "../../json-shape.ts";
import type { Limits } from "../../turn/turn.ts";
import type { Usage } from "../../usage/usage.ts";
import { EXPORT_HEAD, type ExportEnd } from "./export-format.ts";
import { APPROVAL_MODES, type ApprovalMode } from "../../permission/approval-mode.ts";
import { AGENT_NAME, type SessionAgent } from "../../agent/agent.ts";
import type { NewSettings } from "../create-session.ts";

/** A session as an export has it. */
export interface ImportedSession extends NewSettings {
  readonly id: string;
  readonly forkedFrom: string;
  readonly usage: Usage;
  readonly createTimeMs: number;
  readonly updateTimeMs: number;
}

/** A message as an export has it. */
export type ImportedMessage = Omit<Message, "sessionId" | "model" | "usage"> & Partial<OfAssistant>;

/** What only an assistant's message has. */
interface OfAssistant {
  readonly model: string;
  readonly usage: Usage;
}

/** What only exports of engines that know modes have. */
interface OfGuarded {
  readonly approvalMode: ApprovalMode;
}

/** What only sessions that were made by a definition have. */
interface OfAgent {
  readonly agent: SessionAgent;
}

/** One line of an export. */
export type ImportLine =
  | { readonly kind: "session"; readonly session: ImportedSession }
  | { readonly kind: "message"; readonly message: ImportedMessage }
  | { readonly kind: "end"; readonly end: ExportEnd };

/** What CreateSession takes at most; the protos say it of requests. */
const MAX_LABELS = 64;
const MAX_TIME_MS = Date.UTC(9999, 11, 31);
const MAX_COUNT = Number.MAX_SAFE_INTEGER;

/** Every id this engine makes fits; nothing in it needs escaping anywhere. */
const id = text({ pattern: /^[A-Za-z0-9_-]{1,64}$/ });
const idOrNone = text({ pattern: /^[A-Za-z0-9_-]{0,64}$/ });
const count = whole(0, MAX_COUNT);
const timeMs = whole(0, MAX_TIME_MS);

const usage: Shape<Usage> = object<Usage>({
  inputTokens: count,
  outputTokens: count,
  reasoningTokens: count,
  cachedInputTokens: count,
  modelCalls: count,
});

const limits: Shape<Limits> = object<Limits>({
  maxSteps: whole(1, 10_000),
  maxTokens: count,
  maxWorkingTimeMs: whole(0, 604_800_000),
  maxSilenceMs: whole(0, 3_600_000),
  maxSilenceBeforeFirstMs: whole(0, 3_600_000),
});

const agentName = text({ pattern: AGENT_NAME });

const agent: Shape<SessionAgent> = object<Omit<SessionAgent, "tools">, Required<Pick<SessionAgent, "tools">>>(
  { name: agentName, instructions: text({ maxBytes: 256 * 1024 }), agents: listOf(agentName) },
  { tools: listOf(text({ maxChars: 256 })) },
);

const session: Shape<ImportedSession> = object<Omit<ImportedSession, "approvalMode" | "agent">, OfGuarded & OfAgent>(
  {
    id,
    title: text({ maxChars: 500 }),
    profile: text({ maxChars: 128 }),
    model: text({ maxChars: 256 }),
    systemPrompt: text({ maxBytes: 256 * 1024 }),
    workspace: text({ maxChars: 4096 }),
    labels: mapOf(text({ maxChars: 64, pattern: /^[^]/ }), text({ maxChars: 256 }), MAX_LABELS),
    limits,
    starred: flag,
    resumeAfterRestart: flag,
    retryPartial: flag,
    forkedFrom: idOrNone,
    usage,
    createTimeMs: timeMs,
    updateTimeMs: timeMs,
  },
  // Exports of engines that knew no modes have none.
  { approvalMode: oneOf(...APPROVAL_MODES), agent },
);

const toolArguments: Shape<object> = (value, where) => {
  if (isToolArguments(value)) return value;
  throw new ShapeError(where, "must be an object of at most 30 levels, with finite numbers");
};

/** Its bytes are no part of an export: who has them uploads them. */
const attachment = {
  sha256: text({ pattern: /^[0-9a-f]{64}$/ }),
  mediaType: text({ maxChars: 200 }),
  sizeBytes: whole(0, MAX_COUNT),
};

type PartOf<Kind extends Part["kind"]> = Extract<Part, { kind: Kind }>;

const PARTS: { readonly [Kind in Part["kind"]]: Shape<unknown> } = {
  text: object<PartOf<"text">>({ kind: oneOf("text"), text: text() }),
  reasoning: object<PartOf<"reasoning">>({ kind: oneOf("reasoning"), text: text() }),
  image: object<PartOf<"image">>({ kind: oneOf("image"), ...attachment }),
  file: object<PartOf<"file">>({ kind: oneOf("file"), ...attachment, name: text({ maxChars: 255 }) }),
  tool_call: object(
    { kind: oneOf("tool_call"), callId: id, providerCallId: text(), name: text(), arguments: toolArguments },
    { invalidArguments: text() },
  ),
  tool_result: object(
    {
      kind: oneOf("tool_result"),
      callId: id,
      outcome: oneOf("succeeded", "failed", "cancelled", "unknown", "denied"),
      text: text(),
    },
    { images: listOf(object<Image>(attachment)), blob: attachment.sha256 },
  ),
};

const kindOfPart = oneOf("text", "reasoning", "image", "file", "tool_call", "tool_result");

const part: Shape<Part> = (value, where) => {
  const given: { readonly kind?: unknown } = plainObject(value, where);
  return PARTS[kindOfPart(given.kind, `${where}.kind`)](value, where) as Part;
};

const message: Shape<ImportedMessage> = object<Omit<ImportedMessage, keyof OfAssistant>, OfAssistant>(
  {
    id,
    turnId: idOrNone,
    role: oneOf("system", "user", "assistant", "tool"),
    status: oneOf("complete", "cancelled", "failed", "interrupted"),
    createTimeMs: timeMs,
    parts: listOf(part),
  },
  { model: text({ maxChars: 256 }), usage },
);

const SAID_BY: { readonly [R in Role]: readonly Part["kind"][] } = {
  system: ["text"],
  user: ["text", "image", "file"],
  assistant: ["text", "reasoning", "tool_call"],
  tool: ["tool_result"],
};

/** Throws `ShapeError`, or DomainError `MESSAGE_TOO_LARGE`. */
function checkMessage(said: ImportedMessage): ImportedMessage {
  for (const { kind } of said.parts) oneOf(...SAID_BY[said.role])(kind, `kind of a part of a ${said.role} message`);
  if (said.role === "tool" && said.parts.length !== 1) throw new ShapeError("parts", "a tool message has one part");
  checkSize(said.parts);
  return said;
}

/** Throws `ShapeError` where a value is not the first line of an export that this engine can read. */
export function checkHead(value: unknown): void {
  const { format, version }: { format?: unknown; version?: unknown } = plainObject(value, "");
  if (format !== EXPORT_HEAD.format) throw new ShapeError("format", `must be "${EXPORT_HEAD.format}"`);
  if (version === EXPORT_HEAD.version) return;
  throw new ShapeError("version", `this engine reads version ${EXPORT_HEAD.version}; a newer one may read this file`);
}

const end: Shape<ExportEnd> = object<ExportEnd>({ sessions: count, messages: count });

/** What a later line says. Throws `ShapeError`, or DomainError `MESSAGE_TOO_LARGE`. */
export function readLine(value: unknown): ImportLine {
  const given: { readonly session?: unknown; readonly message?: unknown; readonly end?: unknown } = plainObject(
    value,
    "",
  );
  const [kind, ...others] = Object.keys(given);
  if (others.length > 0) throw new ShapeError("", "a line is one of session, message and end");
  if (kind === "session") return { kind, session: session(given.session, "session") };
  if (kind === "message") return { kind, message: checkMessage(message(given.message, "message")) };
  if (kind === "end") return { kind, end: end(given.end, "end") };
  throw new ShapeError("", "a line is one of session, message and end");
}

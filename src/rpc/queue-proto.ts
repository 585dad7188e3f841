import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  Framing,
  QueuedKind,
  QueuedMessageSchema,
  type QueuedMessage as QueuedMessageProto,
} from "../../gen/ts/parley/v1/queue_pb.ts";
import type { Part } from "../message/message.ts";
import type * as domain from "../turn/queue/queued-message.ts";
import type { QueuedMessage } from "../turn/queue/queued-message.ts";
import { partToProto } from "./message-proto.ts";

const KINDS: Readonly<Record<domain.QueuedKind, QueuedKind>> = {
  steer: QueuedKind.STEER,
  follow_up: QueuedKind.FOLLOW_UP,
};

const FRAMINGS: Readonly<Record<domain.Framing, Framing>> = {
  plain: Framing.PLAIN,
  instruction: Framing.INSTRUCTION,
  replacement: Framing.REPLACEMENT,
};

/** What a list of what waits shows of each. */
const PREVIEW_CHARS = 200;

/** As events show it: without its parts, which may be large. */
export function queuedToProto(queued: QueuedMessage): QueuedMessageProto {
  const text = queued.parts.map(previewOf).join("\n");
  return create(QueuedMessageSchema, {
    id: queued.id,
    kind: KINDS[queued.kind],
    framing: FRAMINGS[queued.framing],
    preview: text.slice(0, PREVIEW_CHARS).toWellFormed(),
    actor: queued.actor,
    createTime: timestampFromMs(queued.createTimeMs),
  });
}

function previewOf(part: Part): string {
  if (part.kind === "file") return part.name;
  return "text" in part ? part.text : "";
}

/** As ListQueue shows it: whole. */
export function wholeQueuedToProto(queued: QueuedMessage): QueuedMessageProto {
  const proto = queuedToProto(queued);
  proto.parts = queued.parts.map(partToProto);
  return proto;
}

/** Unspecified is plain; the proto's rules let no unknown number through. */
export function framingFromProto(framing: Framing): domain.Framing {
  if (framing === Framing.INSTRUCTION) return "instruction";
  return framing === Framing.REPLACEMENT ? "replacement" : "plain";
}

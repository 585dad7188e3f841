import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  AnswerSchema,
  Priority,
  RequestKind,
  RequestSchema,
  RequestState,
  type Answer as AnswerProto,
  type Request as RequestProto,
} from "../../gen/ts/parley/v1/request_pb.ts";
import type { CreateRequestRequest } from "../../gen/ts/parley/v1/request_service_pb.ts";
import { DomainError } from "../errors.ts";
import type * as domain from "../request/request.ts";
import { structOf } from "./message-proto.ts";
import { permissionAnswerToProto, permissionToProto } from "./permission-proto.ts";

const KINDS: Readonly<Record<domain.RequestKind, RequestKind>> = {
  limit: RequestKind.LIMIT,
  question: RequestKind.QUESTION,
  permission: RequestKind.PERMISSION,
};

const STATES: Readonly<Record<domain.RequestState, RequestState>> = {
  open: RequestState.OPEN,
  answered: RequestState.ANSWERED,
  dismissed: RequestState.DISMISSED,
  cancelled: RequestState.CANCELLED,
  expired: RequestState.EXPIRED,
};

const PRIORITIES: Readonly<Record<domain.Priority, Priority>> = {
  low: Priority.LOW,
  normal: Priority.NORMAL,
  high: Priority.HIGH,
  urgent: Priority.URGENT,
};

/** Those that a filter names. */
export function kindsFromProto(kinds: readonly RequestKind[]): domain.RequestKind[] {
  return namesOf(KINDS).filter((kind) => kinds.includes(KINDS[kind]));
}

/** Those that a filter names; open ones where it names none. */
export function statesFromProto(states: readonly RequestState[]): domain.RequestState[] {
  return states.length === 0 ? ["open"] : namesOf(STATES).filter((state) => states.includes(STATES[state]));
}

function namesOf<Name extends string>(map: Readonly<Record<Name, unknown>>): Name[] {
  return Object.keys(map) as Name[];
}

/** Unspecified = normal. */
function priorityFromProto(priority: Priority): domain.Priority {
  return namesOf(PRIORITIES).find((name) => PRIORITIES[name] === priority) ?? "normal";
}

/** Throws DomainError `INVALID_ANSWER`. */
export function questionFromProto(request: CreateRequestRequest): Omit<domain.Question, "deadlineMs"> {
  const { sessionId, title, body, context, form, priority, defaultAnswer } = request;
  return {
    sessionId,
    kind: "question",
    title,
    body,
    context,
    options: request.options.map(({ id, label, description }) => ({ id, label, description })),
    form,
    priority: priorityFromProto(priority),
    tags: request.tags,
    defaultAnswer: defaultAnswer && answerFromProto(defaultAnswer, "default_answer"),
  };
}

/** Throws DomainError `INVALID_ANSWER` where nothing is answered, `USE_RESOLVE_PERMISSION` for what only that may say. */
export function answerFromProto(answer: AnswerProto | undefined, field = "answer"): domain.GivenAnswer {
  const content = answer?.content;
  switch (content?.case) {
    case "optionId":
      return { kind: "option", optionId: content.value };
    case "text":
      return { kind: "text", text: content.value };
    case "form":
      return { kind: "form", form: content.value };
    case "permission":
      throw new DomainError(
        "invalid",
        "USE_RESOLVE_PERMISSION",
        `${field}: permission is what PermissionService.ResolvePermission says; set option_id, text or form`,
        { field },
      );
    case undefined:
      throw new DomainError("invalid", "INVALID_ANSWER", `${field}: set option_id, text or form`, { field });
  }
}

function answerToProto(answer: domain.Answer): AnswerProto {
  switch (answer.kind) {
    case "option":
      return create(AnswerSchema, { content: { case: "optionId", value: answer.optionId } });
    case "text":
      return create(AnswerSchema, { content: { case: "text", value: answer.text } });
    case "form":
      return create(AnswerSchema, { content: { case: "form", value: structOf(answer.form) } });
    case "permission":
      return create(AnswerSchema, { content: { case: "permission", value: permissionAnswerToProto(answer) } });
  }
}

export function requestToProto(request: domain.Request): RequestProto {
  const { context, form, deadlineMs, defaultAnswer, answer, endTimeMs, permission } = request;
  return create(RequestSchema, {
    id: request.id,
    sessionId: request.sessionId,
    rootSessionId: request.rootSessionId ?? request.sessionId,
    turnId: request.turnId,
    kind: KINDS[request.kind],
    title: request.title,
    body: request.body,
    ...(context !== undefined && { context: structOf(context) }),
    options: request.options.map((option) => ({ ...option })),
    ...(form !== undefined && { form: structOf(form) }),
    priority: PRIORITIES[request.priority],
    tags: [...request.tags],
    ...(deadlineMs !== undefined && { deadline: timestampFromMs(deadlineMs) }),
    ...(defaultAnswer !== undefined && { defaultAnswer: answerToProto(defaultAnswer) }),
    state: STATES[request.state],
    ...(answer !== undefined && { answer: answerToProto(answer) }),
    answeredBy: request.answeredBy,
    claimedBy: request.claimedBy,
    createTime: timestampFromMs(request.createTimeMs),
    ...(endTimeMs !== undefined && { endTime: timestampFromMs(endTimeMs) }),
    endReason: request.endReason,
    createdBy: request.createdBy,
    ...(permission !== undefined && { permission: permissionToProto(permission) }),
  });
}

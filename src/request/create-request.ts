import type { DomainError } from "../errors.ts";
import { getSession } from "../session/session-store.ts";
import { setWaitingOn } from "../session/waiting-on.ts";
import { ClaimLost, type Database, type Statement } from "../store/database.ts";
import { checkDefaultAnswer } from "./check-answer.ts";
import { checkForm } from "./form.ts";
import { checkQuestion } from "./check-question.ts";
import type { RequestDeps } from "./request-deps.ts";
import { MAX_OPEN, NO_WAITER, tooManyRequests, type Question, type Request } from "./request.ts";
import { countOpen, getRequest, insertRequest } from "./request-store.ts";

export interface CreateRequest {
  readonly idempotencyKey: string;
  readonly question: Omit<Question, "deadlineMs">;
  /** Undefined = it waits for ever. */
  readonly lifetimeMs: number | undefined;
  /** The name of the caller's token. */
  readonly actor: string;
}

/**
 * Asks a human; stored before anybody is shown it. Throws DomainError `SESSION_NOT_FOUND`, `INVALID_FIELD`, `INVALID_FORM`,
 * `INVALID_ANSWER`, `TOO_MANY_REQUESTS`, `IDEMPOTENCY_KEY_REUSED`.
 */
export async function createRequest(
  deps: RequestDeps,
  { idempotencyKey: key, question, lifetimeMs, actor }: CreateRequest,
): Promise<Request> {
  const { sessionId } = question;
  checkQuestion(question);
  return deps.idempotency.once(
    { scope: `CreateRequest ${sessionId}`, key, content: { question, lifetimeMs } },
    {
      find: (id) => getRequest(deps.db, id),
      make: async (remember) => {
        if (question.form !== undefined) await checkForm(question.form);
        await checkDefaultAnswer(question);
        const createTimeMs = deps.clock.now();
        const request: Request = {
          ...question,
          ...NO_WAITER,
          permission: undefined,
          id: deps.newId("req"),
          state: "open",
          deadlineMs: lifetimeMs === undefined ? undefined : createTimeMs + lifetimeMs,
          answer: undefined,
          answeredBy: "",
          claimedBy: "",
          createdBy: actor,
          createTimeMs,
          endTimeMs: undefined,
          endReason: "",
        };
        await store(deps, request, remember(request.id));
        if (request.deadlineMs !== undefined) deps.expiry.expect(request.deadlineMs);
        return getRequest(deps.db, request.id);
      },
    },
  );
}

async function store(deps: RequestDeps, request: Request, also: readonly Statement[]): Promise<void> {
  const session = request.sessionId === "" ? undefined : await getSession(deps.db, request.sessionId);
  const changes = [...insertRequest(request, session?.key), ...also];
  try {
    if (session === undefined) await deps.db.transact(changes);
    else
      await deps.log.append(session.id, {
        actor: request.createdBy,
        events: [{ kind: "request_opened", request: { ...request, rootSessionId: session.rootSessionId } }],
        changes: () => [...changes, ...setWaitingOn(session.key, request.createTimeMs)],
      });
  } catch (error) {
    throw error instanceof ClaimLost && error.claim === "room" ? await noRoom(deps.db, session?.key) : error;
  }
}

async function noRoom(db: Database, sessionKey: number | undefined): Promise<DomainError> {
  const isSessionFull = sessionKey !== undefined && (await countOpen(db, sessionKey)) >= MAX_OPEN.session;
  return tooManyRequests(isSessionFull ? "session" : "engine");
}

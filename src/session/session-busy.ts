import { DomainError } from "../errors.ts";
import type { Session } from "./session.ts";

/** What is refused because a turn runs. */
export function sessionBusy({ id, runningTurnId }: Pick<Session, "id" | "runningTurnId">): DomainError {
  return new DomainError(
    "precondition",
    "SESSION_BUSY",
    `session ${id} runs turn ${runningTurnId}; wait for its end or cancel it`,
    { session_id: id, turn_id: runningTurnId },
  );
}

import { listAncestors, type StoredSession } from "../session/session-store.ts";
import type { Assessment } from "../tool/tool.ts";
import type { Decision, DecisionDeps } from "./decision.ts";
import { decidePermission } from "./policy.ts";
import { listRulesOf } from "./rule-store.ts";

/** The tool that a session reads files with. */
export const READER = "read_file";

/** Whether the files that a call would change could be read unasked, so that the model may be told what is in them. */
export async function mayRead(
  { db, clock, protectedPaths }: Pick<DecisionDeps, "db" | "clock" | "protectedPaths">,
  session: StoredSession,
  { subjects }: Pick<Decision, "subjects">,
): Promise<boolean> {
  const { workspace } = session;
  const assessment: Assessment = {
    risk: { level: "read", reason: "" },
    subjects: subjects.map((subject) => (subject.kind === "path" ? { ...subject, access: "read" } : subject)),
  };
  const [rules, above] = await Promise.all([listRulesOf(db, session, clock.now()), listAncestors(db, session)]);
  return [session, ...above].every(
    ({ approvalMode: mode }) =>
      decidePermission({ tool: READER, assessment, mode, rules, workspace, protectedPaths }).verdict === "allow",
  );
}

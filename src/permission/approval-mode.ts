/** How much a session's agent may do without asking. */
export const APPROVAL_MODES = [
  "confirm_all",
  "default",
  "auto_approve_edits",
  "trust_all",
  "plan",
  "restricted",
] as const;

export type ApprovalMode = (typeof APPROVAL_MODES)[number];

/** What an engine is shipped with. */
export const SHIPPED_MODE: ApprovalMode = "default";

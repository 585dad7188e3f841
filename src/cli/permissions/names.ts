/** What is typed for modes and scopes. Nothing else is here: the list of commands is read at every start. */
export const MODE_WORDS = ["confirm_all", "default", "auto_approve_edits", "trust_all", "plan", "restricted"] as const;
export type ModeWord = (typeof MODE_WORDS)[number];

export const SCOPE_WORDS = ["once", "session", "workspace", "global"] as const;
export type ScopeWord = (typeof SCOPE_WORDS)[number];

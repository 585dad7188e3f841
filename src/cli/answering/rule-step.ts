import { PermissionScope, type RuleDraft } from "../../client/client.ts";
import type { Output } from "../output.ts";
import { ruleText } from "../permissions/words.ts";
import { shorten } from "../terminal/width.ts";
import { charOf, isEnter, type Step } from "./step.ts";

const SCOPES = [
  { scope: PermissionScope.SESSION, name: "this session" },
  { scope: PermissionScope.WORKSPACE, name: "this folder, in every session" },
  { scope: PermissionScope.GLOBAL, name: "everywhere" },
] as const;

export interface RuleOptions {
  /** The narrowest first; at least one. */
  readonly rules: readonly RuleDraft[];
  readonly onChosen: (rule: RuleDraft, scope: PermissionScope) => void;
}

/** Which calls are to run unasked from now on, and where: the narrowest unless something wider is chosen. */
export function createRuleStep(output: Output, { rules, onChosen }: RuleOptions): Step {
  const { style } = output;
  let rule = 0;
  let scope = 0;
  const move = (by: number): void => void (rule = (rule + by + rules.length) % rules.length);

  return {
    key(key) {
      const number = Number(charOf(key) ?? Number.NaN);
      const chosen = rules[rule];
      if (isEnter(key) && chosen !== undefined) onChosen(chosen, SCOPES[scope]?.scope ?? PermissionScope.SESSION);
      else if (rules[number - 1] !== undefined) rule = number - 1;
      else if (key.name === "up") move(-1);
      else if (key.name === "down") move(1);
      else if (key.name === "left") scope = Math.max(0, scope - 1);
      else if (key.name === "right") scope = Math.min(SCOPES.length - 1, scope + 1);
      else return false;
      return true;
    },
    view({ columns }) {
      const lines = rules.map((draft, index) => {
        const line = shorten(`${index === rule ? "›" : " "} ${index + 1} ${ruleText(draft, output)}`, columns - 2);
        return `  ${index === rule ? style.cyan(line) : line}`;
      });
      const places = SCOPES.map(({ name }, index) => (index === scope ? style.cyan(`[${name}]`) : style.dim(name)));
      return {
        lines: [style.bold("Which calls shall run unasked from now on?"), ...lines, `  in: ${places.join("  ")}`],
        cursorAfter: undefined,
        keys: "Enter makes the rule and allows this call · ↑↓ which · ←→ where · Esc back",
      };
    },
  };
}

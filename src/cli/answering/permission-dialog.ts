import type { JsonObject } from "@bufbuild/protobuf";
import { type Permission, PermissionDecision, Risk } from "../../client/client.ts";
import type { Output } from "../output.ts";
import { riskWord } from "../permissions/words.ts";
import type { Key } from "../terminal/line-editor.ts";
import { firstRowsOf, wrapLine } from "../terminal/wrap.ts";
import { callHead, callRows, type ShownArguments } from "./call-lines.ts";
import type { Dialog } from "./dialog.ts";
import { createEntryStep } from "./entry-step.ts";
import { readJsonObject } from "./json-object.ts";
import type { DialogHost } from "./reply.ts";
import { createRuleStep } from "./rule-step.ts";
import { charOf, type Room, type Step, type StepView } from "./step.ts";

/** Whether a tool call may run: what it would do, all of it, and the ways to answer. */
export function createPermissionDialog(output: Output, permission: Permission, host: DialogHost): Dialog {
  const { tool, suggestedRules } = permission;
  let edited: JsonObject | undefined;
  let hasHelp = false;
  let step: Step | undefined;

  const call = (): ShownArguments => ({
    tool,
    args: edited ?? permission.arguments ?? {},
    // It is of what was asked for.
    diff: edited === undefined ? permission.diff : "",
  });
  const back = (): void => void (step = undefined);
  const allow = (): void =>
    host.reply({
      kind: "permission",
      decision: PermissionDecision.APPROVE,
      ...(edited !== undefined && { args: edited }),
    });
  const deny = (reason: string): void => host.reply({ kind: "permission", decision: PermissionDecision.DENY, reason });

  function always(): void {
    if (edited !== undefined) return host.complain("a call that was edited is allowed once: y");
    if (suggestedRules.length === 0)
      return host.complain("no rule can stand for this call: it is asked about each time");
    step = createRuleStep(output, {
      rules: suggestedRules,
      onChosen: ({ effect, pattern }, scope) =>
        host.reply({
          kind: "permission",
          decision: PermissionDecision.APPROVE,
          scope,
          rule: { effect, scope, tool, pattern },
        }),
    });
  }
  function askReason(): void {
    step = createEntryStep(output, {
      head: () => [output.style.bold("Why not? The model is told.")],
      enter: "denies it",
      onEnter: deny,
    });
  }
  function takeEdited(args: JsonObject): void {
    edited = args;
    back();
    host.refresh();
  }
  function editInLine(head: string, text: string, read: (text: string) => JsonObject | string): void {
    step = createEntryStep(output, {
      head: () => [output.style.bold(head)],
      text,
      enter: "takes it; it is not run yet",
      onEnter(now) {
        const args = read(now);
        if (typeof args === "string") host.complain(args);
        else takeEdited(args);
      },
    });
  }
  function edit(): void {
    const { args } = call();
    const { command } = args;
    if (tool === "shell" && typeof command === "string") {
      return editInLine("The command:", command, (now) =>
        now.trim() === "" ? "a command cannot be empty; n denies it" : { ...args, command: now },
      );
    }
    const editing = host.edit(`${JSON.stringify(args, undefined, 2)}\n`, `${tool.replace(/\W/g, "_")}.json`);
    if (editing === undefined) return editInLine("The arguments, as JSON:", JSON.stringify(args), readJsonObject);
    editing.then(
      (text) => {
        const now = readJsonObject(text);
        if (typeof now === "string") host.complain(now);
        else takeEdited(now);
      },
      (error: unknown) => host.complain(`the editor failed: ${error instanceof Error ? error.message : String(error)}`),
    );
  }
  function showAll(): void {
    host.show([...headRows(output, call(), edited !== undefined), ...callRows(output, call(), output.columns)]);
  }

  const KEYS: Readonly<Record<string, () => void>> = {
    y: allow,
    n: () => deny(""),
    a: always,
    e: edit,
    r: askReason,
    v: showAll,
    "?": () => (hasHelp = !hasHelp),
  };
  function press(key: Key): boolean {
    const act = KEYS[charOf(key) ?? ""];
    act?.();
    return act !== undefined;
  }

  function view({ columns, rows }: Room): StepView {
    const head = headRows(output, call(), edited !== undefined);
    const risk = edited === undefined ? riskRows(output, permission, columns) : ["  it is judged anew before it runs"];
    const below = [...risk, ...(hasHelp ? HELP.map(output.style.dim) : [])];
    const { rows: shown, more } = firstRowsOf(callRows(output, call(), columns), rows - head.length - below.length);
    const left = more === 0 ? [] : [output.style.yellow(`  … ${more} more lines: v shows all of it`)];
    return {
      lines: [...head, ...shown, ...left, ...below],
      cursorAfter: undefined,
      keys: "y once · n no · a always · e edit · r no, because … · ? help",
    };
  }

  return {
    key: (key) => (step === undefined ? press(key) : step.key(key)),
    view: (room) => (step === undefined ? view(room) : step.view(room)),
    back() {
      if (step === undefined) return false;
      back();
      return true;
    },
  };
}

const HELP = [
  "  y  let this call run, once",
  "  n  deny it; r denies it with a reason, which the model is told",
  "  a  let calls like it run from now on: shows the rule first",
  "  e  change what it does, then allow that",
  "  v  write all of it above, to scroll through",
  "  Tab or Esc goes to what you type and back; Ctrl-C answers nothing; /requests lists what is open",
];

function headRows(output: Output, call: ShownArguments, isEdited: boolean): string[] {
  const { style } = output;
  return [style.bold(callHead(output, call)) + (isEdited ? style.yellow(" (as you edited it)") : "")];
}

function riskRows(output: Output, { risk, reason }: Permission, columns: number): string[] {
  const { style, foreignLine } = output;
  const paint =
    risk === Risk.DESTRUCTIVE
      ? style.red
      : risk === Risk.UNKNOWN || risk === Risk.UNSPECIFIED
        ? style.yellow
        : style.dim;
  return wrapLine(`${riskWord(risk)}: ${foreignLine(reason)}`, columns - 2)
    .slice(0, 3)
    .map((row) => `  ${paint(row)}`);
}

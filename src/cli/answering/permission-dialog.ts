import type { JsonObject } from "@bufbuild/protobuf";
import { type Permission, PermissionDecision } from "../../client/client.ts";
import type { Output } from "../output.ts";
import type { Key } from "../terminal/line-editor.ts";
import { firstRowsOf } from "../terminal/wrap.ts";
import { wrapWords } from "../terminal/wrap-words.ts";
import { callRows, type ShownArguments } from "./call-lines.ts";
import type { Dialog } from "./dialog.ts";
import { createEntryStep } from "./entry-step.ts";
import { readJsonObject } from "./json-object.ts";
import { headRows, HELP, riskRows } from "./permission-rows.ts";
import type { DialogHost, Judgement } from "./reply.ts";
import { createRuleStep } from "./rule-step.ts";
import { charOf, type Room, type Step, type StepView } from "./step.ts";

/** The call as a human changed it. */
interface EditedCall {
  readonly args: JsonObject;
  /** Absent while it is being judged. */
  readonly judged?: Judgement | { readonly problem: string };
}

/** Whether a tool call may run: what it would do, all of it, and the ways to answer. */
export function createPermissionDialog(output: Output, permission: Permission, host: DialogHost): Dialog {
  const { tool, suggestedRules } = permission;
  let edited: EditedCall | undefined;
  let hasHelp = false;
  let step: Step | undefined;

  const call = (): ShownArguments => ({
    tool,
    args: edited?.args ?? permission.arguments ?? {},
    // It is of what was asked for.
    diff: edited === undefined ? permission.diff : "",
  });
  const back = (): void => void (step = undefined);
  const allow = (): void =>
    host.reply({
      kind: "permission",
      decision: PermissionDecision.APPROVE,
      ...(edited !== undefined && { args: edited.args }),
    });
  const isBeingJudged = (): boolean => edited !== undefined && edited.judged === undefined;
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
  /** What is new in it is shown with its risk before it can be let run. */
  function takeEdited(args: JsonObject): void {
    const mine: EditedCall = { args };
    edited = mine;
    back();
    host.refresh();
    const take = (judged: NonNullable<EditedCall["judged"]>): void => {
      if (edited === mine) edited = { args, judged };
      host.refresh();
    };
    host.judge(args).then(take, (error: unknown) => take({ problem: messageOf(error) }));
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
      (error: unknown) => host.complain(`the editor failed: ${messageOf(error)}`),
    );
  }
  function showAll(): void {
    const { columns } = output;
    const isEdited = edited !== undefined;
    const why = judgedRows(columns, Number.MAX_SAFE_INTEGER);
    host.show([...headRows(output, call(), isEdited, columns), ...callRows(output, call(), columns), ...why]);
  }
  function judgedRows(columns: number, maxRows?: number): string[] {
    if (edited === undefined) return riskRows(output, permission, columns, maxRows);
    if (edited.judged === undefined) return [output.style.dim("  it is being judged …")];
    if (!("problem" in edited.judged)) return riskRows(output, edited.judged, columns, maxRows);
    const told = `nobody could say how dangerous it is: ${output.foreignLine(edited.judged.problem)}`;
    return wrapWords(told, columns - 3).map((row) => `  ${output.style.yellow(row)}`);
  }

  const KEYS: Readonly<Record<string, () => void>> = {
    y: () => (isBeingJudged() ? host.complain("it is being judged, one moment") : allow()),
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
    const head = headRows(output, call(), edited !== undefined, columns);
    const help = hasHelp ? HELP.flatMap((line) => wrapWords(line, columns - 1, { hang: 5 })) : [];
    const below = [...judgedRows(columns), ...help.map(output.style.dim)];
    const { rows: shown, more } = firstRowsOf(callRows(output, call(), columns), rows - head.length - below.length);
    const left = more === 0 ? [] : [output.style.yellow(`  … ${more} more lines: v shows all of it`)];
    return {
      lines: [...head, ...shown, ...left, ...below],
      cursorAfter: undefined,
      keys: isBeingJudged() ? "n no · e edit" : "y once · n no · a always · e edit · r no, because … · ? help",
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

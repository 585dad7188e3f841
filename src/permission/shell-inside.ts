import { innerTexts, type InnerText } from "./inner-text.ts";
import { parseShell, type ParsedCommand, type ParsedShell } from "./shell-parse.ts";

/** What texts do that commands hand to other shells, and those that these hand on. */
export interface ParsedInside extends ParsedShell {
  /** Commands for another machine: no file that they name is one of this. */
  readonly elsewhere: readonly ParsedCommand[];
}

/** Each limit fails closed: what exceeds it is unclear. */
const MAX_DEPTH = 4;
const MAX_TEXTS = 20;

type ParsedText = ParsedShell & InnerText;

/** Looks into `bash -c TEXT` and its like. Never throws for a text. */
export async function parseInside(commands: readonly ParsedCommand[]): Promise<ParsedInside> {
  const parsed: ParsedText[] = [];
  const doubts: string[] = [];
  let outer: readonly Pick<ParsedText, "commands" | "isElsewhere">[] = [{ commands, isElsewhere: false }];
  for (let depth = 0; ; depth++) {
    const texts = outer.flatMap((shell) => textsIn(shell, doubts));
    if (texts.length === 0) break;
    if (depth === MAX_DEPTH || parsed.length + texts.length > MAX_TEXTS) {
      doubts.push("shells run shells in it, deeper than is looked at");
      break;
    }
    const inner = await Promise.all(texts.map(async (text) => ({ ...(await parseShell(text.text)), ...text })));
    parsed.push(...inner);
    outer = inner;
  }
  const here = parsed.filter(({ isElsewhere }) => !isElsewhere);
  const unclear = parsed.find((shell) => shell.unclear !== "")?.unclear;
  return {
    commands: here.flatMap((shell) => shell.commands),
    redirects: here.flatMap(({ redirects }) => redirects),
    listed: here.flatMap(({ listed }) => listed),
    elsewhere: parsed.flatMap((shell) => (shell.isElsewhere ? shell.commands : [])),
    unclear: doubts[0] ?? (unclear === undefined ? "" : `in a text that it gives a shell: ${unclear}`),
  };
}

function textsIn(
  { commands, isElsewhere }: Pick<ParsedText, "commands" | "isElsewhere">,
  doubts: string[],
): readonly InnerText[] {
  return commands.flatMap((command) => {
    const { texts, doubt } = innerTexts(command);
    if (doubt !== "") doubts.push(doubt);
    return texts.map((text) => ({ ...text, isElsewhere: isElsewhere || text.isElsewhere }));
  });
}

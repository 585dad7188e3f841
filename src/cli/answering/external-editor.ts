import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Environment } from "../../config.ts";

/** The editor that a human has chosen, as a line of shell; undefined = none. */
export function editorOf(env: Environment): string | undefined {
  return env["VISUAL"] || env["EDITOR"] || undefined;
}

/** Has a text changed in an editor that gets the terminal. Resolves when the editor ends; rejects where it fails. */
export async function editText(editor: string, text: string, fileName: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "parley-edit-"));
  const path = join(folder, fileName);
  try {
    await writeFile(path, text, { mode: 0o600 });
    await run(editor, path);
    return await readFile(path, "utf8");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The variable is a command with its options; the file's name is an argument of its own, and never part of the line. */
function run(editor: string, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn("sh", ["-c", `${editor} "$1"`, "sh", path], { stdio: "inherit" });
    child.once("error", reject);
    child.once("exit", (code, signal) =>
      code === 0 ? resolve() : reject(new Error(`${editor} ended with ${code ?? signal}`)),
    );
  });
}

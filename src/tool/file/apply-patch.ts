import type { JsonObject } from "../../message/message.ts";
import type { AroundChange, FoundFile } from "../../workspace/file-change.ts";
import type { Files } from "../../workspace/files.ts";
import { checkNames, readText } from "./file-arguments.ts";
import { assessWrite } from "./file-assessment.ts";
import { diffOf, type Text } from "./file-diff.ts";
import { requireText } from "./file-text.ts";
import type { Tool } from "../tool.ts";
import { type FilePatch, readPatch } from "./patch.ts";

const properties = {
  patch: {
    type: "string",
    description:
      "A unified diff of one or more files, with --- a/PATH and +++ b/PATH (/dev/null where a file is made or removed), paths relative to the workspace.",
  },
};

/** The tool `apply_patch`: changes, makes, moves and removes files by a unified diff. */
export function createApplyPatchTool(files: Files): Tool {
  return {
    name: "apply_patch",
    description:
      "Applies a unified diff to files of the workspace. Where any part of it does not fit, nothing is changed.",
    parameters: { type: "object", properties, required: ["patch"], additionalProperties: false },
    isAwaited: true,
    assess: async (args, place) => {
      const patches = await readArguments(args);
      const paths = [...new Set(patches.flatMap(({ from, to }) => [from, to]).filter((path) => path !== undefined))];
      const removes = patches.some(({ from, to }) => from !== undefined && from !== to);
      const reason = removes ? "changes files in the workspace, and removes some" : "changes files in the workspace";
      // What is in the files is not looked at before it is decided: words about it would be told to the model.
      return assessWrite(files, place, paths, reason);
    },
    preview: async (args, { workspace }) => {
      const changes = await plan(files, workspace, await readArguments(args));
      const diffs = [];
      for (const { path, before, after } of changes) diffs.push(await diffOf(path, before, after));
      return diffs.join("");
    },
    run: async (args, { workspace, changes: around }) => {
      const patches = await readArguments(args);
      return files.changeInTurn(workspace, async () => {
        const changes = await plan(files, workspace, patches);
        await changeAll({ files, workspace, around }, changes);
        return { text: changes.map(tell).join("\n") };
      });
    },
  };
}

function readArguments(args: JsonObject): Promise<readonly FilePatch[]> {
  checkNames(args, properties);
  return readPatch(readText(args, "patch"));
}

interface Change {
  readonly path: string;
  readonly before: Text;
  readonly after: Text;
  /** Of the file before, or of the one that was moved here; undefined = it is new. */
  readonly mode: number | undefined;
}

interface Place {
  readonly files: Files;
  readonly workspace: string;
  readonly around: AroundChange;
}

/** What each file is and is to be, found out before any is touched. Several patches of one file are done one after another. */
async function plan(files: Files, workspace: string, patches: readonly FilePatch[]): Promise<readonly Change[]> {
  const changes = new Map<string, Change>();
  const load = async (path: string): Promise<Change> => {
    const known = changes.get(path);
    if (known !== undefined) return known;
    const found = await files.findForWriting(workspace, path);
    const before = found === undefined ? undefined : requireText(found.bytes, path);
    return { path, before, after: before, mode: found?.stats.mode };
  };
  for (const { from, to, apply } of patches) {
    const source = from === undefined ? undefined : await load(from);
    if (source !== undefined && source.after === undefined) throw new Error(`${source.path}: there is no such file`);
    const target = to === undefined ? undefined : await load(to);
    if (target !== undefined && target.path !== from && target.after !== undefined) {
      throw new Error(`${target.path}: the patch makes this file, but it is there already`);
    }
    const after = apply(source?.after ?? "");
    if (to === undefined && after !== "")
      throw new Error(`${from ?? ""}: the patch removes this file, but not all of its lines`);
    if (source !== undefined) changes.set(source.path, { ...source, after: undefined });
    if (target !== undefined) changes.set(target.path, { ...target, after, mode: target.mode ?? source?.mode });
  }
  return [...changes.values()];
}

/** All, or none: what was changed before one fails is put back. */
async function changeAll(place: Place, changes: readonly Change[]): Promise<void> {
  const done: Change[] = [];
  try {
    for (const change of changes) {
      await put(place, change);
      done.push(change);
    }
  } catch (error) {
    for (const change of done.toReversed()) {
      await put(place, { ...change, before: change.after, after: change.before });
    }
    throw error;
  }
}

/** Throws where the file is not what the change was made from. */
async function put({ files, workspace, around }: Place, { path, before, after, mode }: Change): Promise<void> {
  const check = (found: FoundFile | undefined): void => {
    const text = found === undefined ? undefined : requireText(found.bytes, path);
    if (text !== before) throw new Error(`${path}: it changed meanwhile, and nothing was changed; read it again`);
  };
  if (after === undefined) {
    if (before !== undefined) await files.remove(workspace, path, { around, check });
    return;
  }
  const make = (found: FoundFile | undefined): Buffer => {
    check(found);
    return Buffer.from(after, "utf8");
  };
  await files.write(workspace, path, { make, around, mode });
}

function tell({ path, before, after }: Change): string {
  if (before === undefined) return `made ${path}`;
  return after === undefined ? `removed ${path}` : `changed ${path}`;
}

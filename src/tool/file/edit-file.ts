import { relative } from "node:path";
import type { JsonObject } from "../../message/message.ts";
import type { FoundFile } from "../../workspace/file-change.ts";
import type { Files } from "../../workspace/files.ts";
import { applyEdits, type Edit } from "./edit.ts";
import { checkNames, findFlag, findText, readText } from "./file-arguments.ts";
import { assessWrite } from "./file-assessment.ts";
import { diffOf } from "./file-diff.ts";
import { requireText } from "./file-text.ts";
import type { Tool } from "../tool.ts";

const MAX_EDITS = 100;

const edit = {
  old_text: {
    type: "string",
    description: "The text to replace, exactly as it is in the file, with enough around it that it is there only once.",
  },
  new_text: { type: "string", description: "What is to be there instead." },
  replace_all: {
    type: "boolean",
    description: "True = wherever old_text is in the file. Left out = it must be there once.",
  },
};
const properties = {
  path: { type: "string", description: "The file, relative to the workspace." },
  ...edit,
  edits: {
    type: "array",
    description: "Several edits instead of one, done one after another: all of them, or none.",
    items: { type: "object", properties: edit, required: ["old_text", "new_text"], additionalProperties: false },
  },
};

/** The tool `edit_file`: replaces exact pieces of a text. */
export function createEditFileTool(files: Files): Tool {
  return {
    name: "edit_file",
    description:
      "Replaces exact pieces of a text file in the workspace: one (old_text, new_text), or several (edits). Where one does not fit, nothing is changed.",
    parameters: { type: "object", properties, required: ["path"], additionalProperties: false },
    isAwaited: true,
    assess: async (args, place) => {
      // What is in the file is not looked at before it is decided: words about it would be told to the model.
      return assessWrite(files, place, [readArguments(args).path], "edits a file in the workspace");
    },
    preview: async (args, { workspace }) => {
      const { path, edits } = readArguments(args);
      const found = await files.read(workspace, path);
      const before = requireText(found.bytes, path);
      return diffOf(relative(workspace, found.path), before, applyEdits(path, before, edits).text);
    },
    run: (args, { workspace, changes }) => {
      const { path, edits } = readArguments(args);
      return files.changeInTurn(workspace, async () => {
        let count = 0;
        const make = (before: FoundFile | undefined): Buffer => {
          if (before === undefined) throw new Error(`${path}: there is no such file; write_file makes one`);
          const edited = applyEdits(path, requireText(before.bytes, path), edits);
          count = edited.count;
          return Buffer.from(edited.text, "utf8");
        };
        await files.write(workspace, path, { make, around: changes });
        return { text: `edited ${path} (${count === 1 ? "1 place" : `${count} places`})` };
      });
    },
  };
}

function readArguments(args: JsonObject): { readonly path: string; readonly edits: readonly Edit[] } {
  checkNames(args, properties);
  const path = readText(args, "path");
  const list = args["edits"] ?? undefined;
  if (list === undefined) return { path, edits: [readEdit(args)] };
  if (findText(args, "old_text") !== undefined || findText(args, "new_text") !== undefined) {
    throw new Error("give either old_text and new_text, or edits");
  }
  if (!Array.isArray(list) || list.length === 0) throw new Error("edits must be a list of at least one edit");
  if (list.length > MAX_EDITS) throw new Error(`edits has ${list.length} edits; at most ${MAX_EDITS} are done at once`);
  return { path, edits: list.map((one, index) => readListed(one, index)) };
}

function readListed(one: unknown, index: number): Edit {
  if (typeof one !== "object" || one === null || Array.isArray(one))
    throw new Error(`edits[${index}] must be an object`);
  try {
    checkNames(one as JsonObject, edit);
    return readEdit(one as JsonObject);
  } catch (error) {
    throw new Error(`edits[${index}]: ${(error as Error).message}`, { cause: error });
  }
}

function readEdit(args: JsonObject): Edit {
  const oldText = readText(args, "old_text");
  const newText = readText(args, "new_text");
  if (oldText === "") throw new Error("old_text is empty; give the text to replace");
  if (oldText === newText) throw new Error("old_text and new_text are the same; nothing would change");
  return { oldText, newText, replaceAll: findFlag(args, "replace_all") };
}

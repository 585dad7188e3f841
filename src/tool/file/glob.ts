import type { JsonObject } from "../../message/message.ts";
import type { Files } from "../../workspace/files.ts";
import { checkNames, findFlag, findText, readText } from "./file-arguments.ts";
import { assessRead } from "./file-assessment.ts";
import type { Tool } from "../tool.ts";
import { createNameMatcher } from "./name-matcher.ts";

const MAX_SHOWN = 1000;
const MAX_DEPTH = 64;

const properties = {
  pattern: {
    type: "string",
    description: "Such as src/**/*.ts or *.{json,md}; without / it is matched against names in every folder.",
  },
  path: { type: "string", description: "The folder to look in, relative to the workspace. Left out = the workspace." },
  include_ignored: { type: "boolean", description: "True = also what .gitignore leaves out." },
};

/** The tool `glob`: finds files by their paths. */
export function createGlobTool(files: Files): Tool {
  return {
    name: "glob",
    description: `Finds files of the workspace by a pattern for their paths: one path a line, relative to the workspace; at most ${MAX_SHOWN}. What .gitignore leaves out is left out.`,
    parameters: { type: "object", properties, required: ["pattern"], additionalProperties: false },
    assess: async (args, place) => {
      await createNameMatcher(readArguments(args).pattern);
      return assessRead(files, place, readArguments(args).path);
    },
    run: async (args, { workspace, signal }) => {
      const { pattern, path, respectIgnore } = readArguments(args);
      const matches = await createNameMatcher(pattern);
      const { path: folder } = await files.locate(workspace, path, "read");
      const shown: string[] = [];
      for await (const found of files.walk(workspace, path, { maxDepth: MAX_DEPTH, respectIgnore, signal })) {
        if (found.kind === "folder" || !matches(folder, `${workspace}/${found.path}`)) continue;
        if (shown.length === MAX_SHOWN) {
          shown.push(`[more than ${MAX_SHOWN}; use a narrower pattern]`);
          break;
        }
        shown.push(found.path);
      }
      return { text: shown.length === 0 ? "[no file matches]" : shown.join("\n") };
    },
  };
}

function readArguments(args: JsonObject) {
  checkNames(args, properties);
  return {
    pattern: readText(args, "pattern"),
    path: findText(args, "path") ?? ".",
    respectIgnore: !findFlag(args, "include_ignored"),
  };
}

import { relative } from "node:path";
import type { Files } from "../../workspace/files.ts";
import { checkNames, findCount, findFlag, findText } from "./file-arguments.ts";
import { assessRead } from "./file-assessment.ts";
import type { Tool } from "../tool.ts";

const MAX_SHOWN = 1000;

const properties = {
  path: { type: "string", description: "The folder, relative to the workspace. Left out = the workspace." },
  depth: { type: "integer", minimum: 1, maximum: 10, description: "How many levels of folders to list. Left out = 1." },
  include_ignored: { type: "boolean", description: "True = also what .gitignore leaves out." },
};

/** The tool `list_files`: what is in a folder. */
export function createListFilesTool(files: Files): Tool {
  return {
    name: "list_files",
    description: `Lists a folder of the workspace: one path a line, folders with / at the end, links with @; at most ${MAX_SHOWN}. What .gitignore leaves out is left out.`,
    parameters: { type: "object", properties, additionalProperties: false },
    assess: (args, place) => assessRead(files, place, findText(args, "path") ?? "."),
    run: async (args, { workspace, signal }) => {
      checkNames(args, properties);
      const path = findText(args, "path") ?? ".";
      const maxDepth = findCount(args, "depth", 10) ?? 1;
      const respectIgnore = !findFlag(args, "include_ignored");
      const { path: folder } = await files.locate(workspace, path, "read");
      const lines: string[] = [];
      for await (const found of files.walk(workspace, path, { maxDepth, respectIgnore, signal })) {
        if (lines.length === MAX_SHOWN) {
          lines.push(`[more than ${MAX_SHOWN}; name a folder in it, or use glob]`);
          break;
        }
        lines.push(`${relative(folder, `${workspace}/${found.path}`)}${MARKS[found.kind]}`);
      }
      return { text: lines.length === 0 ? "[nothing is in it]" : lines.join("\n") };
    },
  };
}

const MARKS = { file: "", folder: "/", link: "@", other: "" } as const;

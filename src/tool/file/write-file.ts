import { relative } from "node:path";
import type { JsonObject } from "../../message/message.ts";
import type { FoundFile } from "../../workspace/file-change.ts";
import type { Files } from "../../workspace/files.ts";
import { MAX_FILE_BYTES } from "../../workspace/safe-file.ts";
import { checkNames, readText } from "./file-arguments.ts";
import { assessWrite } from "./file-assessment.ts";
import { binaryDiff, diffOf } from "./file-diff.ts";
import { textOf } from "./file-text.ts";
import type { Tool, ToolPlace } from "../tool.ts";

const properties = {
  path: { type: "string", description: "The file, relative to the workspace. Folders above it are made." },
  content: { type: "string", description: "All that is to be in the file." },
};

/** The tool `write_file`: makes a file, or replaces all that is in it. */
export function createWriteFileTool(files: Files): Tool {
  return {
    name: "write_file",
    description:
      "Makes a file in the workspace, or replaces all of its content. To change a part of a file, use edit_file.",
    parameters: { type: "object", properties, required: ["path", "content"], additionalProperties: false },
    isAwaited: true,
    assess: (args, place) => assessWrite(files, place, [readArguments(args).path], "writes a file in the workspace"),
    preview: (args, place) => preview(files, readArguments(args), place),
    run: (args, { workspace, changes }) => {
      const { path, content } = readArguments(args);
      return files.changeInTurn(workspace, async () => {
        let isNew = true;
        const make = (before: FoundFile | undefined): Buffer => {
          isNew = before === undefined;
          return content;
        };
        await files.write(workspace, path, { make, around: changes });
        return { text: `${isNew ? "made" : "replaced"} ${path} (${content.length} bytes)` };
      });
    },
  };
}

function readArguments(args: JsonObject) {
  checkNames(args, properties);
  const content = Buffer.from(readText(args, "content"), "utf8");
  if (content.length > MAX_FILE_BYTES) throw new Error(`content has more than ${MAX_FILE_BYTES} bytes`);
  return { path: readText(args, "path"), content };
}

async function preview(
  files: Files,
  { path, content }: ReturnType<typeof readArguments>,
  { workspace }: ToolPlace,
): Promise<string> {
  const { path: canonical } = await files.locate(workspace, path, "write");
  const name = relative(workspace, canonical);
  const before = await files.findForWriting(workspace, path);
  const text = before === undefined ? undefined : textOf(before.bytes);
  if (before !== undefined && text === undefined) return binaryDiff(name);
  return diffOf(name, text, content.toString("utf8"));
}

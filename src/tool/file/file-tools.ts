import type { Files } from "../../workspace/files.ts";
import { createApplyPatchTool } from "./apply-patch.ts";
import { createEditFileTool } from "./edit-file.ts";
import { findProgram } from "../process/find-program.ts";
import { createGlobTool } from "./glob.ts";
import { createGrepTool } from "./grep.ts";
import { createListFilesTool } from "./list-files.ts";
import { createReadFileTool } from "./read-file.ts";
import type { ReaderWrap } from "../sandbox/sandbox.ts";
import type { Tool } from "../tool.ts";
import { createWriteFileTool } from "./write-file.ts";

/** The tools that look at files and change them. Programs that help are looked for in the folders of `path`, and run as `wrap` has it. */
export function createFileTools(files: Files, path: string, wrap?: ReaderWrap): readonly Tool[] {
  return [
    createReadFileTool(files),
    createWriteFileTool(files),
    createEditFileTool(files),
    createApplyPatchTool(files),
    createListFilesTool(files),
    createGlobTool(files),
    createGrepTool(files, () => findProgram("rg", path), wrap),
  ];
}

import type { Files } from "../../workspace/files.ts";
import type { Assessment, ToolPlace } from "../tool.ts";

/** What a call is that looks at files of the workspace. Throws where it must not. */
export async function assessRead(files: Files, { workspace }: ToolPlace, given: string): Promise<Assessment> {
  const found = await files.locate(workspace, given, "read");
  return {
    risk: { level: "read", reason: "looks at files in the workspace" },
    subjects: [{ kind: "path", access: "read", ...found }],
  };
}

/** What a call is that changes files of the workspace. Throws where it must not. */
export async function assessWrite(
  files: Files,
  { workspace }: ToolPlace,
  givens: readonly string[],
  reason: string,
): Promise<Assessment> {
  const found = await Promise.all(givens.map((given) => files.locate(workspace, given, "write")));
  return {
    risk: { level: "edit", reason },
    subjects: found.map((place) => ({ kind: "path", access: "write", ...place })),
  };
}

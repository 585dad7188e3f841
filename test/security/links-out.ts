import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";

/** Puts the links out of a workspace into it that commands of `BYPASSES` try to leave it by. */
export function makeLinksOut(workspace: string): void {
  symlinkSync("/etc/passwd", join(workspace, "link-to-file"));
  symlinkSync("/", join(workspace, "link-to-root"));
  symlinkSync("/etc", join(workspace, "out"));
  symlinkSync("out/../etc/passwd", join(workspace, "link-with-dots"));
  mkdirSync(join(workspace, "folder"));
  symlinkSync("/etc/passwd", join(workspace, "folder", "README.md"));
}

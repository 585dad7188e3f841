import { lstatSync, readlinkSync, realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

/** So many links in a row lead nowhere: the limit of Linux. */
const MAX_LINKS = 40;

/**
 * The path of a file, or of one that is to be made, with every symbolic link on the way resolved: also of one that dangles,
 * since who writes to it makes what it points at. `path` is absolute. Throws the file system's error for what cannot be
 * looked at. Some microseconds of the caller's thread: asking another one takes fifty times as long.
 */
export function canonicalPath(path: string): string {
  let rest = "";
  let at = path;
  for (let links = 0; links <= MAX_LINKS;) {
    const stats = lstatSync(at, { throwIfNoEntry: false });
    if (stats?.isSymbolicLink() === true) {
      links++;
      at = resolve(realpathSync.native(dirname(at)), readlinkSync(at));
    } else if (stats !== undefined) {
      return join(realpathSync.native(at), rest);
    } else {
      if (dirname(at) === at) return path;
      rest = join(basename(at), rest);
      at = dirname(at);
    }
  }
  return path;
}

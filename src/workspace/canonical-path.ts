import { lstatSync, readlinkSync, realpathSync } from "node:fs";
import { basename, dirname, isAbsolute, join } from "node:path";

/** So many links in a row lead nowhere: the limit of Linux. */
const MAX_LINKS = 40;

/**
 * The path of a file, or of one that is to be made, with every symbolic link on the way resolved: also of one that dangles,
 * since who writes to it makes what it points at. `path` is absolute. Throws the file system's error for what cannot be
 * looked at. `..` is what it is to the system: the folder above the one that a link leads to. Some microseconds of the caller's thread: asking another one takes fifty times as long.
 */
export function canonicalPath(path: string): string {
  let rest = "";
  // With a slash at its end, a link that leads nowhere would be looked at as what it leads to.
  let at = path.replace(/(?<=.)\/+$/, "");
  for (let links = 0; links <= MAX_LINKS;) {
    const stats = lstatSync(at, { throwIfNoEntry: false });
    if (stats?.isSymbolicLink() === true) {
      links++;
      const target = readlinkSync(at);
      at = (isAbsolute(target) ? target : `${realpathSync.native(dirname(at))}/${target}`).replace(/(?<=.)\/+$/, "");
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

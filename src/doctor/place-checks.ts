import { lstatSync, readdirSync, readFileSync, statfsSync, statSync, type Stats } from "node:fs";
import { dirname, join } from "node:path";
import { backupsFolder } from "../backup/make-backup.ts";
import { isDataDirLocked, readEngineFile } from "../data-dir.ts";
import { readSocketUrl } from "../listen.ts";
import { failed, type Finding, ok, some, warning } from "./finding.ts";

/** What group and others may not have of anything here. */
const OTHERS = 0o077;

/** The reserve that the engine gives up on a full disk, and room to make it again. */
const BALLAST_BYTES = 16 * 1024 * 1024;
const LOW_DISK_BYTES = 2 * BALLAST_BYTES;

/** Looks at what is around the store. */
export function checkPlace(dataDir: string): readonly Finding[] {
  return [
    checkOwner("data directory", dataDir, 0o700),
    checkToken(dataDir),
    checkEngine(dataDir),
    ...checkSockets(dataDir),
    checkDisk(dataDir),
    checkBallast(dataDir),
    checkLeftOver(dataDir),
  ];
}

function checkOwner(name: string, path: string, mode: number): Finding {
  const found = statSync(path);
  const told = `${path} (mode ${(found.mode & 0o777).toString(8)})`;
  if (found.uid !== process.getuid?.())
    return failed(name, `${told} is another user's; it must be of the one who runs the engine`);
  if ((found.mode & OTHERS) !== 0) return failed(name, `${told} is open to others; chmod ${mode.toString(8)} ${path}`);
  return ok(name, told);
}

function checkToken(dataDir: string): Finding {
  const file = join(dataDir, "token");
  const found = statIfThere(file);
  if (found === undefined) return warning("token", `there is none in ${dataDir}; the next start makes one`);
  if (readFileSync(file, "utf8").trim() === "")
    return failed("token", `${file} is empty; remove it, the next start makes one`);
  return checkOwner("token", file, 0o600);
}

/** The lock says whether an engine runs, `engine.json` which one. */
function checkEngine(dataDir: string): Finding {
  const file = readEngineFile(dataDir);
  if (isDataDirLocked(dataDir)) {
    if (file === undefined)
      return warning("engine", "something works on the data directory; it has not said who it is");
    return ok("engine", `runs at ${file.url} (process ${file.pid}, version ${file.version})`);
  }
  if (file === undefined) return ok("engine", "none runs");
  return warning(
    "engine",
    `none runs; process ${file.pid} left its engine.json behind, so it was killed; the next start removes it`,
  );
}

function checkSockets(dataDir: string): readonly Finding[] {
  if (!isDataDirLocked(dataDir)) return [];
  const paths = (readEngineFile(dataDir)?.urls ?? []).flatMap((url) => readSocketUrl(url) ?? []);
  return paths.map((path) => {
    const found = statIfThere(path);
    if (found === undefined) return failed("socket", `${path} is gone; start the engine again`);
    if (!found.isSocket())
      return failed("socket", `${path} is no socket any more; remove it and start the engine again`);
    const folder = checkOwner("socket", dirname(path), 0o700);
    return folder.state === "ok" ? checkOwner("socket", path, 0o600) : folder;
  });
}

function checkDisk(dataDir: string): Finding {
  const { bavail, bsize } = statfsSync(dataDir);
  const free = bavail * bsize;
  const told = `${Math.floor(free / 1e6).toLocaleString("en-US")} MB free`;
  return free >= LOW_DISK_BYTES ? ok("disk", told) : warning("disk", `${told}; make room before it is full`);
}

function checkBallast(dataDir: string): Finding {
  const size = statIfThere(join(dataDir, "parley.db.ballast"))?.size ?? 0;
  if (size === BALLAST_BYTES) return ok("reserve", "16 MiB are kept for a full disk");
  return warning("reserve", "nothing is kept for a full disk; a running engine makes the reserve where there is room");
}

/** What was cut off, and a start or the next command takes away. */
function checkLeftOver(dataDir: string): Finding {
  const names = readdirSync(dataDir);
  if (names.includes("restore.json")) {
    return failed("restore", "a restore was cut off; the next start of the engine puts the store from before it back");
  }
  const backups = statIfThere(backupsFolder(dataDir)) === undefined ? [] : readdirSync(backupsFolder(dataDir));
  const partial = backups.filter((name) => name.endsWith(".partial"));
  if (partial.length > 0 && !isDataDirLocked(dataDir)) {
    return warning("backups", `${some(partial)} was cut off; the next start of the engine removes it`);
  }
  const whole = backups.filter((name) => !name.startsWith(".")).sort();
  return ok("backups", whole.length === 0 ? "none" : `${whole.length}, the newest is ${whole.at(-1)}`);
}

function statIfThere(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

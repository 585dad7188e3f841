import { chmodSync, lstatSync, mkdirSync, renameSync, rmSync, statSync, type Stats } from "node:fs";
import { connect, type Server } from "node:net";
import { dirname } from "node:path";
import { DomainError } from "../errors.ts";

/** Group and others must not get through the folder; whether they may list it does not matter. */
const OTHERS_MAY_ENTER = 0o011;

/**
 * Listens on a socket in the file system that its owner alone can reach. One that a dead engine left is replaced.
 * @throws DomainError invalid `SOCKET_FOLDER_OPEN`, unavailable `SOCKET_IN_USE`, `SOCKET_PATH_TAKEN`, `SOCKET_NOT_ALLOWED`.
 */
export async function listenOnSocket(server: Server, path: string): Promise<void> {
  try {
    makePrivateFolder(dirname(path));
    await clearPath(path);
    await bind(server, path);
    // Until here it had the mode that the umask leaves; nobody else gets through the folder to it.
    chmodSync(path, 0o600);
  } catch (error) {
    throw refusal(path, error);
  }
}

function makePrivateFolder(folder: string): void {
  const found = statSync(folder, { throwIfNoEntry: false });
  if (found === undefined) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return;
  }
  const isOwn = found.uid === process.getuid?.();
  if (isOwn && (found.mode & OTHERS_MAY_ENTER) === 0) return;
  throw new DomainError(
    "invalid",
    "SOCKET_FOLDER_OPEN",
    `other users can get into ${folder}, so a socket there is not private; name one in a folder of your own that only you can enter (chmod 700)`,
    {},
  );
}

/** Takes away what a dead engine left. Whoever answers there stays. */
async function clearPath(path: string): Promise<void> {
  const found = findEntry(path);
  if (found === undefined) return;
  if (!found.isSocket()) {
    const message = `${path} is there already and is no socket; remove it, or name another path with --listen`;
    throw new DomainError("unavailable", "SOCKET_PATH_TAKEN", message);
  }
  if (await answers(path)) throw inUse(path);
  // Aside first, and asked again there: another engine may have taken the path between the question and now.
  const aside = `${path}.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    // It was quicker still, and takes the path itself.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  if (await answers(aside)) {
    renameSync(aside, path);
    throw inUse(path);
  }
  rmSync(aside, { force: true });
}

function findEntry(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    // Refused: nobody listens any more. A full queue (EAGAIN) is somebody's.
    socket.once("error", (error: NodeJS.ErrnoException) =>
      resolve(error.code !== "ECONNREFUSED" && error.code !== "ENOENT"),
    );
  });
}

function bind(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ path }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function inUse(path: string, cause?: unknown): DomainError {
  const message = `somebody listens on ${path} already; stop that engine, or name another path with --listen`;
  return new DomainError("unavailable", "SOCKET_IN_USE", message, {}, { cause });
}

function refusal(path: string, error: unknown): unknown {
  if (error instanceof DomainError) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === "EADDRINUSE") return inUse(path, error);
  if (code === undefined) return error;
  return new DomainError(
    "unavailable",
    "SOCKET_NOT_ALLOWED",
    `a socket cannot be made at ${path} (${code}); name another path with --listen`,
    {},
    { cause: error },
  );
}

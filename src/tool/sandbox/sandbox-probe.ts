import { execFile } from "node:child_process";
import { findProgram } from "../process/find-program.ts";

/** A machine that does not answer by then is none to run commands in sandboxes on. */
const PROBE_MS = 10_000;

/** Programs that a sandbox is made with. */
export interface SandboxPrograms {
  readonly kind: "bubblewrap" | "seatbelt";
  /** Absolute paths; empty where the kind needs none. */
  readonly bwrap: string;
  readonly socat: string;
}

/** What there is, or in words why there is nothing and what to do. */
export type SandboxProbe =
  | { readonly works: true; readonly programs: SandboxPrograms }
  | { readonly works: false; readonly reason: string };

export interface ProbeRequest {
  /** The PATH in which programs are looked for. */
  readonly path: string;
  /** Whether commands may reach some hosts, which takes a relay. */
  readonly hasNetwork: boolean;
  readonly platform?: NodeJS.Platform;
}

/**
 * Tries whether commands can be put into a sandbox here: makes an empty one with all the walls of a real one, since having
 * the program says nothing about what the kernel, or the container that the engine runs in, lets it do.
 */
export async function probeSandbox({
  path,
  hasNetwork,
  platform = process.platform,
}: ProbeRequest): Promise<SandboxProbe> {
  if (platform === "darwin") {
    const program = await findProgram("sandbox-exec", "/usr/bin");
    if (program === undefined) return refused("/usr/bin/sandbox-exec is missing, which is a part of macOS");
    return { works: true, programs: { kind: "seatbelt", bwrap: "", socat: "" } };
  }
  if (platform !== "linux") return refused(`there is none for ${platform}`);
  const bwrap = await findProgram("bwrap", path);
  if (bwrap === undefined) return refused("bubblewrap is missing; install the package bubblewrap");
  const socat = await findProgram("socat", path);
  if (hasNetwork && socat === undefined) {
    return refused(
      "socat is missing, which commands reach the hosts of --sandbox-network through; install the package socat",
    );
  }
  const complaint = await tryBubblewrap(bwrap);
  if (complaint !== undefined) {
    return refused(
      `bubblewrap does not work here (${complaint}); the engine's user must be allowed to make user namespaces, and in a container its profile must let it mount /proc`,
    );
  }
  return { works: true, programs: { kind: "bubblewrap", bwrap, socat: socat ?? "" } };
}

function refused(reason: string): SandboxProbe {
  return { works: false, reason };
}

/** Why it does not work; undefined where it does. */
function tryBubblewrap(bwrap: string): Promise<string | undefined> {
  const walls = ["--unshare-user", "--unshare-pid", "--unshare-net", "--die-with-parent", "--new-session"];
  const mounts = ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"];
  return new Promise((resolve) => {
    execFile(
      bwrap,
      [...walls, ...mounts, "--cap-drop", "ALL", "--", "/bin/sh", "-c", "exit 0"],
      { env: {}, cwd: "/", timeout: PROBE_MS, maxBuffer: 64 * 1024 },
      (error, _stdout, stderr) => {
        if (error === null) resolve(undefined);
        else
          resolve(
            stderr.trim().split("\n")[0]?.slice(0, 300) ||
              error.message.split("\n")[0]?.slice(0, 300) ||
              "it ended at once",
          );
      },
    );
  });
}

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { listenOnSocket } from "./unix-socket.ts";

const servers: Server[] = [];
const folders: string[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function makeServer(name: string): Server {
  const server = createServer((socket) => socket.end(name));
  servers.push(server);
  return server;
}

function makePath(): string {
  const folder = mkdtempSync(join(tmpdir(), "parley-socket-"));
  folders.push(folder);
  return join(folder, "engine.sock");
}

/** Leaves the socket of a process that was killed. */
async function leaveDeadSocket(path: string): Promise<void> {
  const script = `require("net").createServer().listen(process.argv[1], () => console.log("here"))`;
  const child = spawn(process.execPath, ["-e", script, path], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  child.kill("SIGKILL");
  await new Promise((resolve) => child.once("close", resolve));
  expect(existsSync(path)).toBe(true);
}

function whoAnswers(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = "";
    const socket = connect(path);
    socket.setEncoding("utf8").on("data", (text: string) => (said += text));
    socket.once("end", () => resolve(said)).once("error", reject);
  });
}

test.each(Array.from({ length: 8 }, (_, round) => round))(
  "a dead socket that two reach for at once goes to one of them, who can be reached (%i)",
  async () => {
    const path = makePath();
    await leaveDeadSocket(path);
    const names = ["a", "b"];
    const outcomes = await Promise.all(
      names.map((name) =>
        listenOnSocket(makeServer(name), path).then(
          () => name,
          (error: { reason: string }) => error.reason,
        ),
      ),
    );
    const answering = await whoAnswers(path);
    expect(outcomes.sort()).toEqual(["SOCKET_IN_USE", answering].sort());
    expect(readdirSync(join(path, ".."))).toEqual(["engine.sock"]);
  },
);

test("control: a server that just listens finds a dead socket in its way", async () => {
  const path = makePath();
  await leaveDeadSocket(path);
  const plain = createServer();
  const failed = new Promise((resolve) => plain.once("error", resolve));
  plain.listen(path);
  expect(await failed).toMatchObject({ code: "EADDRINUSE" });
});

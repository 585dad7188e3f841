import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { readConfig } from "./config.ts";
import { checkListenIsSafe, readListenAddress } from "./listen.ts";

describe("an address to listen on", () => {
  test.each([
    ["unix:/run/parley/engine.sock", { path: "/run/parley/engine.sock" }],
    ["unix:///run/parley/engine.sock", { path: "/run/parley/engine.sock" }],
    ["unix:engine.sock", { path: resolve("engine.sock") }],
    ["unix:/tmp/ü 世界.sock", { path: "/tmp/ü 世界.sock" }],
    ["tcp:127.0.0.1:7433", { host: "127.0.0.1", port: 7433 }],
    ["tcp:[::1]:0", { host: "::1", port: 0 }],
    ["tcp:localhost:65535", { host: "localhost", port: 65_535 }],
  ])("%s is read", (text, address) => {
    expect(readListenAddress(text, "--listen")).toEqual(address);
  });

  test.each([
    "",
    "unix:",
    "unix:a\0b",
    "tcp:",
    "tcp:127.0.0.1",
    "tcp::80",
    "tcp:::1:80",
    "tcp:a:65536",
    "udp:a:1",
    "/s",
  ])("%j is refused, and the flag is named", (text) => {
    expect(() => readListenAddress(text, "--listen")).toThrow(/^--listen is .*; write it like unix:/s);
  });

  test("a path that a socket cannot have is refused, counted in bytes", () => {
    expect(() => readListenAddress(`unix:/${"é".repeat(60)}`, "--listen")).toThrow(
      /has 121 bytes, a socket's may have/,
    );
    expect(() => readListenAddress(`unix:/${"e".repeat(60)}`, "--listen")).not.toThrow();
  });
});

describe("where to listen", () => {
  const tcp = { host: "127.0.0.1", port: 7433 };

  test.each([
    ["nothing", {}, {}, [tcp]],
    ["--port", {}, { port: "1" }, [{ ...tcp, port: 1 }]],
    ["--listen alone", {}, { listen: ["unix:/s"] }, [{ path: "/s" }]],
    ["--listen and --port", {}, { listen: ["unix:/s"], port: "0" }, [{ ...tcp, port: 0 }, { path: "/s" }]],
    ["two --listen", {}, { listen: ["unix:/s", "tcp:[::1]:1"] }, [{ path: "/s" }, { host: "::1", port: 1 }]],
    ["PARLEY_LISTEN", { PARLEY_LISTEN: "unix:/s, tcp:127.0.0.1:7433" }, {}, [{ path: "/s" }, tcp]],
    ["a flag before the variable", { PARLEY_LISTEN: "unix:/s" }, { port: "7433" }, [tcp]],
    ["a variable for the port", { PARLEY_PORT: "1", PARLEY_HOST: "::1" }, {}, [{ host: "::1", port: 1 }]],
  ])("%s", (_name, env, flags, addresses) => {
    expect(readConfig(env, flags).listen).toEqual(addresses);
  });

  test("a certificate without its key is refused, and the other way round", () => {
    const both = /both --tls-cert FILE and --tls-key FILE/;
    expect(() => readConfig({}, { tlsCert: "a" })).toThrow(both);
    expect(() => readConfig({ PARLEY_TLS_KEY: "a" })).toThrow(both);
    expect(readConfig({ PARLEY_TLS_KEY: "/k" }, { tlsCert: "/c" }).tls).toEqual({ certFile: "/c", keyFile: "/k" });
  });

  test("a switch that is neither on nor off is refused", () => {
    expect(() => readConfig({ PARLEY_ALLOW_INSECURE_REMOTE: "perhaps" })).toThrow(/set it to 1 or 0/);
    expect(readConfig({ PARLEY_ALLOW_INSECURE_REMOTE: "1" }).allowInsecureRemote).toBe(true);
  });
});

function check(host: string, how = {}): void {
  checkListenIsSafe([{ host, port: 0 }], { tls: undefined, allowInsecureRemote: false, ...how });
}

describe("other machines", () => {
  test.each([
    "0.0.0.0",
    "::",
    "192.168.1.2",
    "engine.example",
    "127.0.0.1.example.com",
    "localhost.example",
    "",
    "127.1",
  ])("are not served on %j without TLS, and both ways out are named", (host) => {
    expect(() => check(host)).toThrow(/--tls-cert FILE and --tls-key FILE, or --allow-insecure-remote/);
    expect(() => check(host)).toThrow(expect.objectContaining({ reason: "LISTEN_INSECURE" }));
    expect(() => check(host, { tls: {} })).not.toThrow();
    expect(() => check(host, { allowInsecureRemote: true })).not.toThrow();
  });

  test.each(["127.0.0.1", "127.8.9.1", "localhost", "LOCALHOST", "::1"])("do not reach %s", (host) => {
    expect(() => check(host)).not.toThrow();
  });

  test("one remote address among others is enough", () => {
    const addresses = [{ path: "/s" }, { host: "::1", port: 1 }, { host: "::", port: 1 }];
    expect(() => checkListenIsSafe(addresses, { tls: undefined, allowInsecureRemote: false })).toThrow("::");
  });
});

import { resolve } from "node:path";
import { expect, test } from "vitest";
import { readConfig } from "./config.ts";

const WITH_PROVIDER = { HOME: "/home/me", OPENAI_API_KEY: "sk-1" };
const proxiesOf = (env: Record<string, string>) => readConfig({ ...WITH_PROVIDER, ...env }).proxies;

test("proxies are taken from the variables that other programs know, small letters first", () => {
  expect(proxiesOf({})).toEqual({ http: "", https: "", exempt: "" });
  const https_proxy = "http://small.test:1";
  expect(proxiesOf({ HTTPS_PROXY: "http://large.test:1", https_proxy, NO_PROXY: ".corp,10.0.0.1" })).toEqual({
    http: "",
    https: https_proxy,
    exempt: ".corp,10.0.0.1",
  });
  expect(proxiesOf({ HTTP_PROXY: "proxy.corp:3128" })).toMatchObject({ http: "http://proxy.corp:3128" });
});

test("the mode of sessions is told by the flag, else by the variable, and must be one that there is", () => {
  expect(readConfig({ HOME: "/h" }).approvalMode).toBe("default");
  expect(readConfig({ HOME: "/h", PARLEY_APPROVAL_MODE: "CONFIRM-ALL" }).approvalMode).toBe("confirm_all");
  expect(readConfig({ HOME: "/h", PARLEY_APPROVAL_MODE: "plan" }, { approvalMode: "trust_all" }).approvalMode).toBe(
    "trust_all",
  );
  expect(() => readConfig({ HOME: "/h" }, { approvalMode: "yolo" })).toThrow("--approval-mode is yolo; give one of");
});

test("a proxy that cannot be used is refused by its variable, without what it holds", () => {
  for (const text of ["socks5://name:secret@proxy.corp", "http://", "::secret"]) {
    const refused = {
      reason: "INVALID_CONFIG",
      message: expect.stringMatching(/^HTTPS_PROXY is(?!.*secret)/) as unknown,
    };
    expect(() => proxiesOf({ HTTPS_PROXY: text })).toThrow(expect.objectContaining(refused) as Error);
  }
});

test("where there is no provider to call, variables of the machine are left alone", () => {
  expect(readConfig({ HOME: "/home/me", HTTPS_PROXY: "socks5://proxy.corp" }).proxies.https).toBe("");
});

test("the audit log is kept 400 days, or as many as are given", () => {
  expect(readConfig({ HOME: "/h" }).auditDays).toBe(400);
  expect(readConfig({ HOME: "/h", PARLEY_AUDIT_DAYS: "30" }).auditDays).toBe(30);
  expect(readConfig({ HOME: "/h", PARLEY_AUDIT_DAYS: "30" }, { auditDays: "7" }).auditDays).toBe(7);
  for (const wrong of ["0", "-1", "1.5", "", "99999", "1e3", "ten"]) {
    expect(() => readConfig({ HOME: "/h" }, { auditDays: wrong })).toThrow("--audit-days is");
  }
});

test("the sandbox is auto as shipped, and told by the flag, else by the variable", () => {
  expect(readConfig({ HOME: "/h" })).toMatchObject({ sandbox: "auto", sandboxHosts: [] });
  expect(readConfig({ HOME: "/h", PARLEY_SANDBOX: "Required" }).sandbox).toBe("required");
  expect(readConfig({ HOME: "/h", PARLEY_SANDBOX: "required" }, { sandbox: "off" }).sandbox).toBe("off");
  for (const sandbox of ["", "on", "required "]) {
    expect(() => readConfig({ HOME: "/h" }, { sandbox })).toThrow("; give one of required, auto, off");
  }
});

const hostsOf = (...sandboxNetwork: string[]) => readConfig({ HOME: "/h" }, { sandboxNetwork }).sandboxHosts;

test("hosts for the sandbox are names, addresses or all names below one, and nothing else", () => {
  expect(hostsOf("example.com, *.example.org:443", "[::1]:80", "10.0.0.1")).toEqual([
    "example.com",
    "*.example.org:443",
    "[::1]:80",
    "10.0.0.1",
  ]);
  expect(readConfig({ HOME: "/h", PARLEY_SANDBOX_NETWORK: "a.test,b.test" }).sandboxHosts).toEqual([
    "a.test",
    "b.test",
  ]);
  for (const host of ["https://example.com", "a b", "*", "a/b", "-x", "a.test:", "*.*.test"]) {
    expect(() => hostsOf(host)).toThrow(`--sandbox-network names ${host}, which is no host`);
  }
});

test("hooks are found from where one is, and only variables that are named are theirs", () => {
  const flags = {
    hookBefore: ["./policy", "policy", "https://example.com/a", '["./x"]'],
    hookEnv: ["KEY"],
    hooks: "h.json",
  };
  const { hooks } = readConfig({ HOME: "/h", KEY: "1", OTHER: "2" }, flags);
  const before = [resolve("policy"), "policy", "https://example.com/a", '["./x"]'];
  expect(hooks).toEqual({ file: resolve("h.json"), before, after: [], env: { KEY: "1" } });
  expect(() => readConfig({ HOME: "/h" }, { hookEnv: ["KEY"] })).toThrow("--hook-env KEY: there is no such variable");
  expect(() => readConfig({ HOME: "/h" }, { hookBefore: [""] })).toThrow("--hook-before or --hook-after is empty");
});

test("commands find what says who and where they are, what the operator names, and nothing else", () => {
  const env = {
    HOME: "/h",
    PATH: "/bin",
    LC_ALL: "C",
    OPENAI_API_KEY: "sk",
    NODE_OPTIONS: "--import x",
    BASH_ENV: "/x",
    LD_PRELOAD: "/x.so",
    GIT_DIR: "/x",
    PARLEY_TOKEN: "0123456789abcdef",
    DATABASE_URL: "db",
    "BASH_FUNC_ls%%": "() { id; }",
  };
  expect(readConfig(env).toolEnvironment).toEqual({ HOME: "/h", PATH: "/bin", LC_ALL: "C" });
  expect(readConfig({ ...env, PARLEY_COMMAND_ENV: "DATABASE_URL, NOT_SET" }).toolEnvironment).toEqual({
    HOME: "/h",
    PATH: "/bin",
    LC_ALL: "C",
    DATABASE_URL: "db",
  });
  for (const name of ["PARLEY_TOKEN", "LD_PRELOAD", "NODE_OPTIONS", "GIT_DIR", "BASH_ENV"]) {
    expect(() => readConfig(env, { commandEnv: [name] })).toThrow(
      `--command-env names ${name}, which no command may have`,
    );
  }
  expect(() => readConfig(env, { commandEnv: ["A-B"] })).toThrow(
    "--command-env names A-B, which is no name of a variable",
  );
});

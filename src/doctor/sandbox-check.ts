import type { Config } from "../config.ts";
import { probeSandbox } from "../tool/sandbox/sandbox-probe.ts";
import { failed, type Finding, ok, warning } from "./finding.ts";

/** Tries whether the commands of agents can be put into a sandbox on this machine. */
export async function checkSandbox({
  sandbox,
  sandboxHosts,
  programPath,
}: Pick<Config, "sandbox" | "sandboxHosts" | "programPath">): Promise<Finding> {
  if (sandbox === "off") return warning("sandbox", "it is turned off by PARLEY_SANDBOX; commands run as they are");
  const found = await probeSandbox({ path: programPath, hasNetwork: sandboxHosts.length > 0 });
  if (found.works) return ok("sandbox", `${found.programs.kind} works here`);
  if (sandbox === "required") return failed("sandbox", `it is required, and there can be none here: ${found.reason}`);
  return warning("sandbox", `there can be none here, so commands run as they are: ${found.reason}`);
}

import type { AgentOptions } from "node:http";

/** The proxies that providers are called through; empty = none. */
export interface Proxies {
  /** For `http:` URLs. */
  readonly http: string;
  /** For `https:` URLs, through a tunnel. */
  readonly https: string;
  /** Hosts that are called directly, separated by commas, as NO_PROXY names them. */
  readonly exempt: string;
}

export const NO_PROXIES: Proxies = { http: "", https: "", exempt: "" };

/** A model on one's own machine is never behind a proxy, and a proxy could not reach it. */
const LOOPBACK = "localhost,127.0.0.1,::1";

/** Proxies as Node's agents take them. An empty object is needed: without one they may take the environment's. */
export function proxyEnvOf({ http, https, exempt }: Proxies): NonNullable<AgentOptions["proxyEnv"]> {
  return {
    ...(http !== "" && { HTTP_PROXY: http }),
    ...(https !== "" && { HTTPS_PROXY: https }),
    NO_PROXY: exempt === "" ? LOOPBACK : `${LOOPBACK},${exempt}`,
  };
}

import type { Web } from "./safe-fetch.ts";

/** What the machine reaches the web through; empty = directly. */
export interface WebProxies {
  readonly http: string;
  readonly https: string;
  /** Hosts that are reached directly all the same, as NO_PROXY names them. */
  readonly exempt: string;
}

export interface ProxyRules extends Pick<Web, "proxyFor"> {
  /** Why a URL is not fetched; undefined = it may be. */
  refusal(url: URL): string | undefined;
}

/**
 * A proxy looks names up itself, and reaches what it can: whether that is public is known to nobody here. So nothing is fetched
 * through one unless it was said to be good for that.
 */
export function createProxyRules(proxies: WebProxies, mayUse: boolean): ProxyRules {
  const proxyOf = (url: URL): string => {
    const proxy = url.protocol === "https:" ? proxies.https : proxies.http;
    return proxy === "" || isExempt(proxies.exempt, url) ? "" : proxy;
  };
  return {
    // Without its exemptions: what is read otherwise there would be reached directly, unchecked.
    proxyFor: (url) => (proxyOf(url) === "" ? undefined : { HTTP_PROXY: proxies.http, HTTPS_PROXY: proxies.https }),
    refusal: (url) =>
      mayUse || proxyOf(url) === ""
        ? undefined
        : "pages would be fetched through a proxy here, where nobody can tell whether they come from a public host; whoever runs the engine can allow it with --fetch-through-proxy",
  };
}

/** What is written in another way than these is not exempt. */
function isExempt(exempt: string, { hostname, port, protocol }: URL): boolean {
  const host = hostname.replace(/\.$/, "");
  const portOf = port === "" ? (protocol === "https:" ? "443" : "80") : port;
  return exempt
    .split(/[\s,]+/)
    .filter((entry) => entry !== "")
    .some((entry) => {
      if (entry === "*") return true;
      const [, name = "", only = portOf] = /^(.*?)(?::(\d+))?$/.exec(entry.toLowerCase()) ?? [];
      const bare = name.replace(/^\*?\./, "");
      return bare !== "" && only === portOf && (host === bare || host.endsWith(`.${bare}`));
    });
}

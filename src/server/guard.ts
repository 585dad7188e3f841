import { isIPv6 } from "node:net";
import { cors } from "@connectrpc/connect";
import { DomainError } from "../errors.ts";

/** Whom the server listens to besides itself. */
export interface GuardOptions {
  /** Names in `Host` and `:authority` besides loopback and the configured host, without port. */
  readonly allowHosts: readonly string[];
  /** Origins of other pages that may call, exactly as browsers send them: `https://app.example:8443`. */
  readonly allowOrigins: readonly string[];
}

/** What the guard looks at; the same for HTTP/1.1 and HTTP/2. */
export interface RequestHead {
  readonly method: string;
  readonly target: string;
  /** `:authority`, `Host`, or both where both were sent. */
  readonly authorities: readonly string[];
  readonly origin: string | undefined;
  readonly fetchSite: string | undefined;
  readonly corsMethod: string | undefined;
  readonly corsPrivateNetwork: string | undefined;
}

type ResponseHeaders = Readonly<Record<string, string>>;

/** What becomes of a request: it goes on with these response headers, or it is answered at once. */
export type Verdict =
  | { readonly kind: "pass"; readonly headers: ResponseHeaders | undefined }
  | { readonly kind: "preflight"; readonly headers: ResponseHeaders }
  | { readonly kind: "refuse"; readonly status: number; readonly reason: string; readonly message: string };

export type Judge = (head: RequestHead) => Verdict;

const PASS: Verdict = { kind: "pass", headers: undefined };
// A day is the most that any browser keeps (Firefox); Chromium cuts it to two hours.
const PREFLIGHT_MAX_AGE_S = "86400";
const EXPOSED = cors.exposedHeaders.join(", ");
const ALLOWED_METHODS = cors.allowedMethods.join(", ");
const ALLOWED_HEADERS = [...cors.allowedHeaders, "Authorization"].join(", ");

/** The name in a `Host` header in lower case, without port and brackets; undefined where it is none. */
function hostName(authority: string): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/i.exec(authority);
  if (match === null) return undefined;
  const [, bracketed, name] = match;
  if (bracketed !== undefined) return isIPv6(bracketed) ? bracketed.toLowerCase() : undefined;
  return name?.toLowerCase();
}

/** Whether a name always means this machine: no DNS answer can point it here from elsewhere. */
function isLoopbackName(name: string): boolean {
  if (name === "localhost" || name === "::1") return true;
  return (
    /^127\.(?:\d{1,3})\.(?:\d{1,3})\.(?:\d{1,3})$/.test(name) && name.split(".").every((part) => Number(part) < 256)
  );
}

/**
 * Makes the check that stands before routing. Names, not addresses, are what keeps a page of another site out: DNS
 * rebinding points that site's name at this machine, but the browser still sends the name (CVE-2025-66416). The port
 * is not looked at, since people forward ports. Without `host` it is the check of a socket in the file system.
 * @throws DomainError invalid, where an origin is not one, or stands for everyone.
 */
export function createJudge(options: GuardOptions & { readonly host: string | undefined }): Judge {
  const { host } = options;
  const hosts = new Set([...(host === undefined ? [] : [host]), ...options.allowHosts].map(configuredName));
  // A wildcard address is where to listen, not a name to be called by.
  hosts.delete("0.0.0.0");
  hosts.delete("::");
  const origins = new Set(options.allowOrigins.map(exactOrigin));

  return (head) => {
    if (!head.target.startsWith("/") && !(head.method === "OPTIONS" && head.target === "*")) {
      return refuse(400, "TARGET_NOT_ALLOWED", "the request target must be a path; this server is no proxy");
    }
    // No page and no name leads to a socket in the file system, and clients name there what they like (gRPC: its path).
    const isSocket = host === undefined;
    const allowed =
      isSocket ||
      (head.authorities.length > 0 &&
        head.authorities.every((authority) => {
          const name = hostName(authority);
          return name !== undefined && (isLoopbackName(name) || hosts.has(name));
        }));
    if (!allowed) {
      return refuse(
        421,
        "HOST_NOT_ALLOWED",
        "the host name of this request is not allowed; use localhost, or start the engine with --allow-host NAME",
      );
    }
    return judgeOrigin(head, origins);
  };
}

function judgeOrigin(head: RequestHead, origins: ReadonlySet<string>): Verdict {
  const { origin } = head;
  if (origin !== undefined && origins.has(origin)) {
    return isPreflight(head) ? preflight(origin, head) : { kind: "pass", headers: corsHeaders(origin) };
  }
  if (origin !== undefined && !head.authorities.every((authority) => isSameOrigin(origin, authority))) {
    return refuse(
      403,
      "ORIGIN_NOT_ALLOWED",
      "the origin of this page is not allowed; start the engine with --allow-origin ORIGIN",
    );
  }
  if (head.fetchSite === "cross-site") {
    return refuse(
      403,
      "CROSS_SITE",
      "requests from pages of other sites are not allowed; start the engine with --allow-origin ORIGIN",
    );
  }
  return PASS;
}

// Either scheme: a proxy that ends TLS in front passes the authority on and the page's origin is https.
function isSameOrigin(origin: string, authority: string): boolean {
  const lower = authority.toLowerCase();
  return origin === `http://${lower}` || origin === `https://${lower}`;
}

function isPreflight(head: RequestHead): boolean {
  return head.method === "OPTIONS" && head.corsMethod !== undefined;
}

function corsHeaders(origin: string): ResponseHeaders {
  return { "access-control-allow-origin": origin, "access-control-expose-headers": EXPOSED, vary: "Origin" };
}

function preflight(origin: string, head: RequestHead): Verdict {
  const headers: Record<string, string> = {
    "access-control-allow-origin": origin,
    "access-control-allow-methods": ALLOWED_METHODS,
    "access-control-allow-headers": ALLOWED_HEADERS,
    "access-control-max-age": PREFLIGHT_MAX_AGE_S,
    vary: "Origin",
  };
  // Chromium asks this before a public page may reach a private address.
  if (head.corsPrivateNetwork === "true") headers["access-control-allow-private-network"] = "true";
  return { kind: "preflight", headers };
}

function refuse(status: number, reason: string, message: string): Verdict {
  return { kind: "refuse", status, reason, message };
}

function configuredName(host: string): string {
  const bare = isIPv6(host) ? host.toLowerCase() : hostName(host);
  if (bare === undefined)
    throw new DomainError(
      "invalid",
      "INVALID_FIELD",
      `allowed host "${host}" must be a name or an address without path`,
      { field: "allow_hosts" },
    );
  return bare;
}

function exactOrigin(origin: string): string {
  const parsed = URL.canParse(origin) ? new URL(origin) : undefined;
  // `*` and `null` would let in everyone; a path or a capital letter would never match what browsers send.
  if (parsed === undefined || parsed.origin === "null" || parsed.origin !== origin) {
    throw new DomainError(
      "invalid",
      "INVALID_FIELD",
      `allowed origin "${origin}" must be one exact origin such as https://app.example:8443`,
      { field: "allow_origins" },
    );
  }
  return origin;
}

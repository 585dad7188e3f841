import { isIP } from "node:net";

/** A URL that may be fetched, as far as it can tell itself. */
export interface WebUrl {
  readonly url: URL;
  /** In small letters, an address without brackets, without a dot at the end. */
  readonly host: string;
  readonly isAddress: boolean;
}

const MAX_URL_CHARS = 4096;

/** Ports of other protocols above 1023, some of which answer to what a GET happens to say. Below, only 80 and 443 are the web's. */
const OTHER_PORTS = new Set([
  1433, 1521, 1719, 1720, 1723, 2049, 2375, 2379, 3306, 3389, 3659, 4045, 4190, 5060, 5061, 5432, 5672, 5900, 5984,
  6000, 6379, 6443, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 9042, 9200, 9300, 10_250, 11_211, 27_017,
]);

/** Reads a URL as browsers do, and with it what names a host in another way. Throws with a message for the model. */
export function readWebUrl(text: string, base?: URL): WebUrl {
  if (text.length > MAX_URL_CHARS) throw new Error(`the URL has more than ${MAX_URL_CHARS} characters`);
  if (!URL.canParse(text, base?.href))
    throw new Error(`${JSON.stringify(text.slice(0, 200))} is no URL; give a whole one, with https://`);
  const url = new URL(text, base?.href);
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new Error(`${url.protocol} is fetched by nobody here; give a URL with http:// or https://`);
  }
  if (url.username !== "" || url.password !== "")
    throw new Error("the URL holds a name or a password; give it without");
  const port = url.port === "" ? undefined : Number(url.port);
  if (port !== undefined && (port < 1024 ? port !== 80 && port !== 443 : OTHER_PORTS.has(port))) {
    throw new Error(`port ${port} is not one of the web's`);
  }
  url.hostname = url.hostname.replace(/\.$/, "");
  url.hash = "";
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  if (host === "" || host.endsWith(".")) throw new Error("the URL names no host");
  return { url, host, isAddress: isIP(host) !== 0 };
}

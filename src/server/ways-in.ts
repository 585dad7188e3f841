import type { Clock } from "../clock.ts";
import { checkListenIsSafe, type ListenAddress, type TlsFiles } from "../listen.ts";
import type { App } from "./app.ts";
import { type Credentials, readCredentials } from "./tls-files.ts";

export interface WaysInOptions {
  readonly listen: readonly ListenAddress[];
  readonly tls: TlsFiles | undefined;
  readonly allowInsecureRemote: boolean;
}

/** The places where an engine is to listen, and what it shows of itself there. */
export interface WaysIn {
  /** Opens all of them, in order; the answer is their URLs. @throws what `App.listen` throws. */
  open(app: App): Promise<readonly string[]>;
  /** The engine's own certificate as PEM, where there is TLS. */
  certificate(): string | undefined;
  /** Reads the TLS files again. @throws DomainError `TLS_INVALID`; what was shown before stays. */
  reload(app: App): void;
}

/**
 * Looks at all that can be wrong with them before anything is opened.
 * @throws DomainError invalid `LISTEN_INSECURE`, `TLS_INVALID`.
 */
export function prepareWaysIn({ listen, tls, allowInsecureRemote }: WaysInOptions, clock: Clock): WaysIn {
  checkListenIsSafe(listen, { tls, allowInsecureRemote });
  const read = (): Credentials | undefined => tls && readCredentials(tls, clock.now());
  let credentials = read();
  return {
    async open(app) {
      const urls: string[] = [];
      for (const where of listen) {
        const { url } = await app.listen(where, "host" in where ? credentials : undefined);
        urls.push(url);
      }
      return urls;
    },
    certificate: () => credentials?.certificate,
    reload(app) {
      credentials = read();
      if (credentials !== undefined) app.setCredentials(credentials);
    },
  };
}

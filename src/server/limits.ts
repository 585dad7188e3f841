/** What one server gives to its callers at most. Tests pass smaller ones. */
export interface Limits {
  /** How long a new connection may take to show which protocol it speaks. */
  readonly sniffMs: number;
  /** Connections that have not shown it yet; one more drops the oldest of them. */
  readonly maxUnidentified: number;
  /** Connections at once; one more is closed on arrival. */
  readonly maxConnections: number;
  /** HTTP/1.1: from the first byte of a request to the end of its headers. */
  readonly headersMs: number;
  /** From the start of a request to the end of its body. */
  readonly requestMs: number;
  /** The longest pause inside the body of a request that has only one message. */
  readonly bodyStallMs: number;
  /** How long the rest of a refused request's body is read and thrown away, so that the answer can arrive. */
  readonly lingerMs: number;
  /** How long an HTTP/1.1 connection is kept without a request. */
  readonly keepAliveMs: number;
  /** How long an HTTP/2 connection is kept before its first stream. */
  readonly firstStreamMs: number;
  /** How long an HTTP/2 connection is kept without a stream. */
  readonly idleSessionMs: number;
  /** Bytes of all headers of one request. */
  readonly maxHeaderBytes: number;
  /** Headers of one request. */
  readonly maxHeaders: number;
  /** Open streams of one HTTP/2 connection. */
  readonly maxStreams: number;
  /** Streams of one HTTP/2 connection that may end with an error at once, and how many more each second allows. */
  readonly resetBurst: number;
  readonly resetsPerSecond: number;
  /** PING and SETTINGS frames that one HTTP/2 connection may send at once, and how many more each second allows. */
  readonly pingBurst: number;
  readonly pingsPerSecond: number;
  readonly settingsBurst: number;
  readonly settingsPerSecond: number;
  /** Memory of one HTTP/2 connection in the HTTP/2 library, in megabytes. */
  readonly maxSessionMemoryMb: number;
  /** Bytes of one request message, before and after decompression. */
  readonly maxMessageBytes: number;
}

export const defaultLimits: Limits = {
  sniffMs: 10_000,
  // More than the accept queue (511), so that a burst of honest clients drops nobody.
  maxUnidentified: 1024,
  maxConnections: 8192,
  headersMs: 15_000,
  // Node's own default for http.Server.requestTimeout.
  requestMs: 300_000,
  bodyStallMs: 30_000,
  lingerMs: 2_000,
  keepAliveMs: 65_000,
  firstStreamMs: 30_000,
  idleSessionMs: 300_000,
  // Node's own default for HTTP/1.1.
  maxHeaderBytes: 16 * 1024,
  // Node's own default for HTTP/2.
  maxHeaders: 128,
  // One connection of a Go or Python client carries all its streams: many watchers, and none may wait for another.
  maxStreams: 1024,
  // The HTTP/2 library's own defaults against CVE-2023-44487.
  resetBurst: 1000,
  resetsPerSecond: 33,
  // Go's gRPC client measures its connection with a ping for each round trip while it receives (BDP estimation).
  pingBurst: 10_000,
  pingsPerSecond: 5_000,
  settingsBurst: 100,
  settingsPerSecond: 10,
  // Twice the library's default with twice-as-many streams in mind.
  maxSessionMemoryMb: 32,
  // What gRPC clients take unless told.
  maxMessageBytes: 4 * 1024 * 1024,
};

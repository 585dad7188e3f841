import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeTempDir } from "../helpers/engine-process.ts";
import { expectWholeTurn } from "./expected.ts";
import { findProgram, startPlace, type Place } from "./place.ts";
import { succeed, type Seen } from "./programs.ts";

const go = findProgram("go");

/** Compiling the generated code the first time takes its while, and the modules may have to come from the proxy. */
const BUILD_LIMIT_MS = 900_000;

describe.skipIf(go === undefined)("a Go program with the generated connect-go client", () => {
  let place: Place;
  let talk: string;
  beforeAll(async () => {
    talk = join(makeTempDir("go"), "talk");
    await succeed(go!, ["build", "-o", talk, "."], {
      cwd: join(import.meta.dirname, "go"),
      env: { GOFLAGS: "-mod=readonly" },
    });
    place = await startPlace();
  }, BUILD_LIMIT_MS);
  afterAll(() => place.close());

  it.each(["connect", "grpc", "grpcweb"])(
    "makes a session, streams a turn, and watches it, over %s",
    async (protocol) => {
      const said = await succeed(talk, [place.engine.url, place.engine.token, protocol, "hello"]);
      const report = JSON.parse(said) as { sent: Seen; watched: Seen; refusal: string; reason: string };
      expectWholeTurn(report.sent);
      expectWholeTurn(report.watched);
      expect(report.refusal).toBe("not_found");
      expect(report.reason).toContain("google.rpc.ErrorInfo");
    },
  );
});

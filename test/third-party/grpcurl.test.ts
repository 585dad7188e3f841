import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectWholeTurn } from "./expected.ts";
import { findProgram, startPlace, type Place } from "./place.ts";
import { isCaughtUp, jsonObjects, run, succeed, summarize } from "./programs.ts";

const grpcurl = findProgram("grpcurl");

describe.skipIf(grpcurl === undefined)("grpcurl, with nothing but the server's reflection", () => {
  let place: Place;
  beforeAll(async () => {
    place = await startPlace();
  });
  afterAll(() => place.close());

  function args(method: string, data?: object): string[] {
    const sent = data === undefined ? [] : ["-d", JSON.stringify(data)];
    return ["-plaintext", "-H", `authorization: ${place.authorization}`, ...sent, place.address, method];
  }

  it("makes a session, streams a turn, and watches it", async () => {
    const created = await succeed(grpcurl!, args("parley.v1.SessionService/CreateSession", { title: "grpcurl" }));
    const { session } = JSON.parse(created) as { session: { id: string; title: string } };
    expect(session.title).toBe("grpcurl");
    const said = { session_id: session.id, parts: [{ text: "hello" }] };
    const sent = await succeed(grpcurl!, args("parley.v1.MessageService/SendMessage", said));
    expectWholeTurn(summarize(jsonObjects(sent)));
    const watch = args("parley.v1.MessageService/WatchSession", { session_id: session.id });
    const watched = await run(grpcurl!, watch, { isEnough: (out) => isCaughtUp(jsonObjects(out.toString())) });
    expectWholeTurn(summarize(jsonObjects(watched.stdout.toString())));
  });

  it("lists and describes every service", async () => {
    const listed = await succeed(grpcurl!, args("list"));
    expect(listed.trim().split("\n")).toEqual(
      expect.arrayContaining([
        "grpc.health.v1.Health",
        "parley.v1.EngineService",
        "parley.v1.MessageService",
        "parley.v1.ProfileService",
        "parley.v1.SessionService",
      ]),
    );
    const described = await succeed(
      grpcurl!,
      args("describe", undefined).concat("parley.v1.MessageService.WatchSession"),
    );
    expect(described).toContain(
      "rpc WatchSession ( .parley.v1.WatchSessionRequest ) returns ( stream .parley.v1.WatchSessionResponse )",
    );
  });

  it("checks the health of the engine and of each service", async () => {
    for (const service of ["", "parley.v1.SessionService", "parley.v1.MessageService"]) {
      expect(JSON.parse(await succeed(grpcurl!, args("grpc.health.v1.Health/Check", { service })))).toEqual({
        status: "SERVING",
      });
    }
    const unknown = await run(grpcurl!, args("grpc.health.v1.Health/Check", { service: "parley.v1.NoService" }));
    expect(unknown.stderr).toContain("NotFound");
  });

  it("is told code, reason and fields of a refusal", async () => {
    const { status, stderr } = await run(grpcurl!, args("parley.v1.SessionService/GetSession", {}));
    expect(status).not.toBe(0);
    expect(stderr).toContain("InvalidArgument");
    expect(stderr).toContain("google.rpc.BadRequest");
    // It shows the details as they come, in base64, unless reflection knows them.
    const clear = stderr.replaceAll(/"@value": "([^"]*)"/g, (_all, value: string) =>
      Buffer.from(value, "base64").toString(),
    );
    expect(clear).toContain("INVALID_FIELD");
    expect(clear).toContain("session_id");
  });

  it("is told that it needs a token", async () => {
    const { status, stderr } = await run(grpcurl!, ["-plaintext", place.address, "list"]);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/Unauthenticated|token/);
  });
});

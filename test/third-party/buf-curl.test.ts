import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectWholeTurn } from "./expected.ts";
import { findProgram, startPlace, type Place } from "./place.ts";
import { isCaughtUp, jsonObjects, run, succeed, summarize } from "./programs.ts";

const buf = findProgram("buf");

describe.skipIf(buf === undefined).each(["connect", "grpc", "grpcweb"])(
  "buf curl speaks %s, with nothing but the server's reflection",
  (protocol) => {
    let place: Place;
    beforeAll(async () => {
      place = await startPlace();
    });
    afterAll(() => place.close());

    function curl(method: string, data: object): string[] {
      const { engine, authorization } = place;
      // Reflection is a stream in both directions, so HTTP/2; it needs the token as any call does.
      const how = ["--protocol", protocol, "--http2-prior-knowledge", "--reflect", "--reflect-header", "*"];
      return [
        "curl",
        ...how,
        "--header",
        `authorization: ${authorization}`,
        "--data",
        JSON.stringify(data),
        `${engine.url}/${method}`,
      ];
    }

    it("makes a session, streams a turn, and watches it", async () => {
      const created = await succeed(buf!, curl("parley.v1.SessionService/CreateSession", { title: "buf" }));
      const { session } = JSON.parse(created) as { session: { id: string; title: string } };
      expect(session.title).toBe("buf");
      const said = { sessionId: session.id, parts: [{ text: "hello" }] };
      const sent = jsonObjects(await succeed(buf!, curl("parley.v1.MessageService/SendMessage", said)));
      expectWholeTurn(summarize(sent));
      const watch = curl("parley.v1.MessageService/WatchSession", { sessionId: session.id });
      const watched = await run(buf!, watch, { isEnough: (out) => isCaughtUp(jsonObjects(out.toString())) });
      expectWholeTurn(summarize(jsonObjects(watched.stdout.toString())));
    });

    it("is told code and reason of a refusal", async () => {
      const { status, stderr } = await run(
        buf!,
        curl("parley.v1.SessionService/GetSession", { sessionId: "ses_none" }),
      );
      expect(status).not.toBe(0);
      expect(jsonObjects(stderr)[0]).toMatchObject({ code: "not_found", details: [{ type: "google.rpc.ErrorInfo" }] });
      const [{ details }] = jsonObjects(stderr) as [{ details: [{ value: string }] }];
      expect(Buffer.from(details[0].value, "base64").toString()).toContain("SESSION_NOT_FOUND");
    });

    it("is told nothing without a token, not even by reflection", async () => {
      const url = `${place.engine.url}/parley.v1.EngineService/GetInfo`;
      const { status, stdout, stderr } = await run(buf!, [
        "curl",
        "--protocol",
        protocol,
        "--http2-prior-knowledge",
        "--data",
        "{}",
        url,
      ]);
      expect(status).not.toBe(0);
      // It shows no more of the reflection's refusal than this.
      expect(`${stdout.toString()}${stderr}`).toContain('failed to find service named "parley.v1.EngineService"');
    });
  },
);

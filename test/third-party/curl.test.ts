import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectWholeTurn } from "./expected.ts";
import { findProgram, SAID, startPlace, type Place } from "./place.ts";
import { isCaughtUp, run, succeed, summarize, type Json, type StreamMessage } from "./programs.ts";

const curl = findProgram("curl");

/** Flag of the envelope that ends a stream. */
const END_STREAM = 2;

/** A message as Connect puts it into a stream: one byte of flags, four of length, then the message. */
function envelope(message: object): Buffer {
  const body = Buffer.from(JSON.stringify(message));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

interface Envelope {
  readonly flags: number;
  readonly message: Json;
}

/** The whole messages that have come so far. */
function envelopes(bytes: Buffer): Envelope[] {
  const found: Envelope[] = [];
  for (let at = 0; at + 5 <= bytes.length;) {
    const end = at + 5 + bytes.readUInt32BE(at + 1);
    if (end > bytes.length) break;
    found.push({ flags: bytes[at]!, message: JSON.parse(bytes.subarray(at + 5, end).toString()) as Json });
    at = end;
  }
  return found;
}

function messagesOf(bytes: Buffer): StreamMessage[] {
  return envelopes(bytes).flatMap(({ flags, message }) => (flags === END_STREAM ? [] : [message]));
}

describe.skipIf(curl === undefined).each([["--http1.1"], ["--http2-prior-knowledge"]])(
  "plain curl with JSON, %s",
  (version) => {
    let place: Place;
    beforeAll(async () => {
      place = await startPlace();
    });
    afterAll(() => place.close());

    const token = (): string[] => [version, "-sS", "-H", `authorization: ${place.authorization}`];

    async function post(method: string, body: object): Promise<Json> {
      const url = `${place.engine.url}/${method}`;
      return JSON.parse(
        await succeed(curl!, [...token(), "-H", "content-type: application/json", "-d", JSON.stringify(body), url]),
      ) as Json;
    }

    /** A method without side effects, as a link. */
    async function get(method: string, body: object): Promise<Json> {
      const query = ["connect=v1", "encoding=json", `message=${JSON.stringify(body)}`].flatMap((part) => [
        "--data-urlencode",
        part,
      ]);
      return JSON.parse(await succeed(curl!, [...token(), "-G", ...query, `${place.engine.url}/${method}`])) as Json;
    }

    function stream(method: string, body: object, isEnough?: (stdout: Buffer) => boolean) {
      const args = [
        ...token(),
        "-N",
        "-H",
        "content-type: application/connect+json",
        "--data-binary",
        "@-",
        `${place.engine.url}/${method}`,
      ];
      return run(curl!, args, { input: envelope(body), ...(isEnough !== undefined && { isEnough }) });
    }

    it("makes a session, streams a turn, and watches it", async () => {
      const { session } = (await post("parley.v1.SessionService/CreateSession", { title: "curl" })) as {
        session: { id: string };
      };
      const sessionId = session.id;
      const sent = await stream("parley.v1.MessageService/SendMessage", { sessionId, parts: [{ text: "hello" }] });
      expectWholeTurn(summarize(messagesOf(sent.stdout)));
      expect(envelopes(sent.stdout).at(-1)).toMatchObject({ flags: END_STREAM, message: {} });
      const watched = await stream("parley.v1.MessageService/WatchSession", { sessionId }, (out) =>
        isCaughtUp(messagesOf(out)),
      );
      expectWholeTurn(summarize(messagesOf(watched.stdout)));
    });

    it("reads with GET what has no side effects, and nothing else", async () => {
      const { session } = (await post("parley.v1.SessionService/CreateSession", { title: "é & ü" })) as {
        session: { id: string };
      };
      const sessionId = session.id;
      const { turn } = (await post("parley.v1.MessageService/StartTurn", {
        sessionId,
        parts: [{ text: "hello" }],
      })) as { turn: { id: string } };
      await stream("parley.v1.MessageService/WatchSession", { sessionId }, (out) =>
        messagesOf(out).some(({ event }) => event?.turnEnded !== undefined),
      );
      expect(await get("parley.v1.SessionService/GetSession", { sessionId })).toMatchObject({
        session: { id: sessionId, title: "é & ü" },
      });
      expect(await get("parley.v1.MessageService/GetTurn", { sessionId, turnId: turn.id })).toMatchObject({
        turn: { id: turn.id, endReason: "TURN_END_REASON_COMPLETED" },
      });
      const { messages } = (await get("parley.v1.SessionService/ListMessages", { sessionId })) as {
        messages: { parts: { text: string }[] }[];
      };
      expect(messages.map(({ parts }) => parts[0]?.text)).toEqual(["hello", SAID]);
      expect(await get("parley.v1.EngineService/GetInfo", {})).toMatchObject({
        tools: expect.arrayContaining(["now", "todo"]) as unknown,
      });
      expect(await get("parley.v1.ProfileService/ListProfiles", {})).toMatchObject({
        profiles: [{ name: "demo" }, { name: "openai" }],
      });
      const created = [
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        "-G",
        "--data-urlencode",
        "connect=v1",
        "--data-urlencode",
        "encoding=json",
      ];
      const url = `${place.engine.url}/parley.v1.SessionService/CreateSession`;
      expect(await succeed(curl!, [...token(), ...created, "--data-urlencode", "message={}", url])).toBe("405");
    });

    it("is told code and reason of a refusal, with the status HTTP has for it", async () => {
      const url = `${place.engine.url}/parley.v1.SessionService/GetSession`;
      const args = [
        ...token(),
        "-w",
        "\n%{http_code}",
        "-H",
        "content-type: application/json",
        "-d",
        '{"sessionId":"ses_none"}',
        url,
      ];
      const [body = "", status] = (await succeed(curl!, args)).split("\n");
      expect(status).toBe("404");
      expect(JSON.parse(body)).toMatchObject({
        code: "not_found",
        details: [{ type: "google.rpc.ErrorInfo", debug: { reason: "SESSION_NOT_FOUND", domain: "parley" } }],
      });
      const refused = await stream("parley.v1.MessageService/WatchSession", { sessionId: "ses_none" });
      expect(envelopes(refused.stdout)).toMatchObject([
        { flags: END_STREAM, message: { error: { code: "not_found" } } },
      ]);
    });

    it("finds the open doors without a token", async () => {
      for (const path of ["healthz", "readyz"]) {
        expect(await succeed(curl!, [version, "-sS", "-w", "%{http_code}", `${place.engine.url}/${path}`])).toBe(
          "ok\n200",
        );
      }
      const health = [
        "-H",
        "content-type: application/json",
        "-d",
        "{}",
        `${place.engine.url}/grpc.health.v1.Health/Check`,
      ];
      expect(JSON.parse(await succeed(curl!, [version, "-sS", ...health]))).toEqual({ status: "SERVING" });
    });
  },
);

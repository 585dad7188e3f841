import { create } from "@bufbuild/protobuf";
import { createRouterTransport } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { createClient, ListSessionsResponseSchema, SessionService } from "../client/client.ts";
import { NotThereError, UsageError } from "./failure.ts";
import { resolveSession, resolveSessions } from "./session-ref.ts";

/** An engine that lists these, the newest first, two on a page. */
function engineWith(...ids: readonly string[]) {
  const transport = createRouterTransport(({ service }) =>
    service(SessionService, {
      listSessions({ pageSize, pageToken }) {
        const from = Number(pageToken);
        const page = ids.slice(from, from + Math.min(2, pageSize));
        const isMore = from + page.length < ids.length;
        return create(ListSessionsResponseSchema, {
          sessions: page.map((id) => ({ id })),
          nextPageToken: isMore ? String(from + page.length) : "",
        });
      },
    }),
  );
  return createClient({ transport, env: {} });
}

const ENGINE = engineWith("ses_abc1", "ses_abd2", "ses_xyz1", "ses_zzz9");

test("the beginning, with and without its prefix, and the end name a session, on whatever page it is", async () => {
  for (const [given, id] of [
    ["ses_xy", "ses_xyz1"],
    ["xyz", "ses_xyz1"],
    ["z9", "ses_zzz9"],
    ["abd", "ses_abd2"],
  ] as const)
    expect(await resolveSession(ENGINE, given)).toBe(id);
});

test("what means several is refused as wrong usage, what means none as not there", async () => {
  await expect(resolveSession(ENGINE, "ses_ab")).rejects.toThrow(UsageError);
  // The end of one on the first page and of one on the second.
  await expect(resolveSession(ENGINE, "1")).rejects.toThrow("ses_abc1, ses_xyz1");
  await expect(resolveSession(ENGINE, "nope")).rejects.toThrow(NotThereError);
  await expect(resolveSession(ENGINE, "")).rejects.toThrow(NotThereError);
});

test("- and last are the newest; where there is none it says how to begin", async () => {
  expect([await resolveSession(ENGINE, "-"), await resolveSession(ENGINE, "last")]).toEqual(["ses_abc1", "ses_abc1"]);
  await expect(resolveSession(engineWith(), "last")).rejects.toThrow("parley chat");
});

test("a whole id is taken as it is, without a question to the engine", async () => {
  const id = `ses_${"0".repeat(25)}`;
  expect(await resolveSession(engineWith(), id)).toBe(id);
});

test("a session that is meant twice is one", async () => {
  expect(await resolveSessions(ENGINE, ["zzz9", "last", "-", "ses_abc1"])).toEqual(["ses_zzz9", "ses_abc1"]);
});

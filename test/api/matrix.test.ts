import { clone, getOption, type DescMethod, type Message } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import type { Transport } from "@connectrpc/connect";
import { ApprovalMode, PermissionDecision, PermissionScope, Role, RuleEffect } from "../../src/client/client.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { access, Access_Scope } from "../../gen/ts/parley/v1/access_pb.ts";
import { upload, writeAgent } from "./files.ts";
import { openPermission } from "./observe-requests.ts";
import { call, loadServices, makeRequest, nameOf, plainTransport } from "./methods.ts";
import { createSession, noReaders, refusalOf, runTurn, stateOf, text, toRefusal, type Refusal } from "./observe.ts";
import { startTestEngine, type TestEngine } from "./test-engine.ts";
import { violationsOf } from "./violations.ts";

/** What a method is called with. */
interface Place {
  /** An idle session whose last turn failed. */
  readonly sessionId: string;
  /** That turn. */
  readonly turnId: string;
  /** What was said in that turn. */
  readonly messageId?: string;
  /** A message in its queue, where there is one. */
  readonly queuedId?: string;
  /** An uploaded file that can be imported, where there is one. */
  readonly blob?: string;
  /** An open request, where there is one. */
  readonly requestId?: string;
  /** A rule, where one is needed. */
  readonly ruleId?: string;
  /** A token, where one is needed. */
  readonly tokenId?: string;
}

/** What is special of a method; the rest is read from its proto. A method without a row fails. */
interface Row {
  /** A request that is accepted. */
  valid(place: Place): object;
  /** What an empty request is refused for; undefined = it is accepted. */
  readonly empty?: readonly string[];
  /** Each field that names something: what is said where there is no such thing. */
  readonly unknown: Readonly<Record<string, Pick<Refusal, "code" | "reason">>>;
  /** Fields that look like the name of something, and may hold any: the name of what is made, or a filter. */
  readonly free?: readonly string[];
  /** Where a request is accepted that an idle session refuses. */
  readonly makePlace?: (engine: TestEngine) => Promise<Place>;
}

const noSession = { code: "NOT_FOUND", reason: "SESSION_NOT_FOUND" };
const noTurn = { code: "NOT_FOUND", reason: "TURN_NOT_FOUND" };
const noMessage = { code: "NOT_FOUND", reason: "MESSAGE_NOT_FOUND" };
const noProfile = { code: "NOT_FOUND", reason: "PROFILE_NOT_FOUND" };
const noRequest = { code: "NOT_FOUND", reason: "REQUEST_NOT_FOUND" };
const noAgent = { code: "NOT_FOUND", reason: "AGENT_NOT_FOUND" };
const turnChanged = { code: "FAILED_PRECONDITION", reason: "TURN_CHANGED" };
const EMPTY_EXPORT = '{"format":"parley.sessions","version":1}\n{"end":{"sessions":0,"messages":0}}\n';
const gitStatus = { effect: RuleEffect.ALLOW, scope: PermissionScope.SESSION, tool: "shell", pattern: "git status" };
const parts = text("echo: hello, as fast as you can");

const ROWS: Readonly<Record<string, Row>> = {
  "SessionService.CreateSession": {
    valid: () => ({ rules: [gitStatus] }),
    unknown: { profile: noProfile, agent: noAgent },
  },
  "SessionService.GetSession": {
    valid: ({ sessionId }) => ({ sessionId }),
    empty: ["session_id"],
    unknown: { session_id: noSession },
  },
  "SessionService.ListSessions": { valid: () => ({}), unknown: {}, free: ["profile", "parent_session_id"] },
  "SessionService.UpdateSession": {
    valid: ({ sessionId }) => ({ sessionId }),
    empty: ["session_id"],
    unknown: { session_id: noSession, profile: noProfile },
  },
  "SessionService.DeleteSession": {
    valid: ({ sessionId }) => ({ sessionId }),
    empty: ["session_id"],
    unknown: { session_id: noSession },
  },
  "SessionService.ListMessages": {
    valid: ({ sessionId }) => ({ sessionId }),
    empty: ["session_id"],
    unknown: { session_id: noSession },
  },
  "SessionService.SearchMessages": {
    valid: ({ sessionId }) => ({ sessionId, query: "fail" }),
    empty: ["query"],
    unknown: { session_id: noSession },
  },
  "SessionService.GetSnapshot": {
    valid: ({ sessionId }) => ({ sessionId }),
    empty: ["session_id"],
    unknown: { session_id: noSession },
  },
  "SessionService.GetContext": {
    valid: ({ sessionId }) => ({ sessionId }),
    empty: ["session_id"],
    unknown: { session_id: noSession },
  },
  "SessionService.AppendMessage": {
    valid: ({ sessionId }) => ({ sessionId, role: Role.USER, parts }),
    empty: ["session_id", "role", "parts"],
    unknown: { session_id: noSession },
  },
  "SessionService.UpdateMessage": {
    valid: ({ sessionId, messageId }) => ({ sessionId, messageId, parts }),
    empty: ["session_id", "message_id", "parts"],
    unknown: { session_id: noSession, message_id: noMessage },
  },
  "SessionService.ClearHistory": {
    valid: ({ sessionId }) => ({ sessionId }),
    empty: ["session_id"],
    unknown: { session_id: noSession },
  },
  "SessionService.RewindSession": {
    valid: ({ sessionId, messageId }) => ({ sessionId, messageId }),
    empty: ["session_id", "message_id"],
    unknown: { session_id: noSession, message_id: noMessage },
  },
  "SessionService.RevertFiles": {
    valid: ({ sessionId, turnId }) => ({ sessionId, turnId }),
    empty: ["session_id", "turn_id"],
    unknown: { session_id: noSession, turn_id: noTurn },
  },
  "SessionService.BatchDeleteSessions": {
    valid: () => ({ sessionIds: ["ses_none"] }),
    empty: ["session_ids"],
    unknown: {},
  },
  "SessionService.ForkSession": {
    valid: ({ sessionId }) => ({ sessionId }),
    empty: ["session_id"],
    unknown: { session_id: noSession, before_message_id: noMessage },
  },
  "SessionService.ExportSessions": { valid: ({ sessionId }) => ({ sessionIds: [sessionId] }), unknown: {} },
  "SessionService.ImportSessions": {
    valid: ({ blob = "0".repeat(64) }) => ({ blobs: [blob] }),
    empty: ["blobs"],
    unknown: {},
    makePlace: async (engine) => ({ ...NOWHERE, blob: await upload(engine, EMPTY_EXPORT) }),
  },
  "MessageService.SendMessage": {
    valid: ({ sessionId }) => ({ sessionId, parts }),
    empty: ["session_id", "parts"],
    unknown: { session_id: noSession, expected_turn_id: turnChanged },
  },
  "MessageService.StartTurn": {
    valid: ({ sessionId }) => ({ sessionId, parts }),
    empty: ["session_id", "parts"],
    unknown: { session_id: noSession, expected_turn_id: turnChanged },
  },
  "MessageService.WatchSession": {
    valid: ({ sessionId }) => ({ sessionId }),
    empty: ["session_id"],
    unknown: { session_id: noSession, log_epoch: { code: "OUT_OF_RANGE", reason: "LOG_CHANGED" } },
  },
  "MessageService.GetTurn": {
    valid: ({ sessionId, turnId }) => ({ sessionId, turnId }),
    empty: ["session_id", "turn_id"],
    unknown: { session_id: noSession, turn_id: noTurn },
  },
  "MessageService.ListTurns": {
    valid: ({ sessionId }) => ({ sessionId }),
    empty: ["session_id"],
    unknown: { session_id: noSession },
  },
  "MessageService.CancelTurn": {
    valid: ({ sessionId, turnId }) => ({ sessionId, turnId }),
    empty: ["session_id"],
    unknown: { session_id: noSession, turn_id: noTurn },
  },
  "MessageService.RetryTurn": {
    valid: ({ sessionId }) => ({ sessionId }),
    empty: ["session_id"],
    unknown: { session_id: noSession, expected_turn_id: turnChanged },
  },
  "MessageService.Steer": {
    valid: ({ sessionId }) => ({ sessionId, parts }),
    empty: ["session_id", "parts"],
    unknown: { session_id: noSession, expected_turn_id: { code: "FAILED_PRECONDITION", reason: "NO_TURN_RUNNING" } },
    makePlace: makeBusyPlace,
  },
  "MessageService.FollowUp": {
    valid: ({ sessionId }) => ({ sessionId, parts }),
    empty: ["session_id", "parts"],
    unknown: { session_id: noSession },
  },
  "MessageService.ListQueue": {
    valid: ({ sessionId }) => ({ sessionId }),
    empty: ["session_id"],
    unknown: { session_id: noSession },
  },
  "MessageService.RemoveQueued": {
    valid: ({ sessionId, queuedId = "queued_none" }) => ({ sessionId, queuedId }),
    empty: ["session_id", "queued_id"],
    unknown: { session_id: noSession, queued_id: { code: "NOT_FOUND", reason: "QUEUED_NOT_FOUND" } },
    makePlace: makeBusyPlace,
  },
  "RequestService.CreateRequest": {
    valid: ({ sessionId }) => ({ sessionId, title: "which one?", options: [{ id: "a", label: "this" }] }),
    empty: ["title"],
    unknown: { session_id: noSession },
  },
  "RequestService.GetRequest": {
    valid: ({ requestId = "req_none" }) => ({ requestId }),
    empty: ["request_id"],
    unknown: { request_id: noRequest },
    makePlace: makeAskingPlace,
  },
  "RequestService.ListRequests": {
    valid: ({ sessionId }) => ({ sessionId }),
    unknown: { session_id: noSession, root_session_id: noSession },
  },
  "RequestService.AwaitRequest": {
    valid: ({ requestId = "req_none" }) => ({ requestId, wait: { nanos: 1000 } }),
    empty: ["request_id"],
    unknown: { request_id: noRequest },
    makePlace: makeAskingPlace,
  },
  "RequestService.RespondRequest": {
    valid: ({ requestId = "req_none" }) => ({ requestId, answer: { content: { case: "text", value: "this" } } }),
    empty: ["request_id", "answer"],
    unknown: { request_id: noRequest },
    makePlace: makeAskingPlace,
  },
  "RequestService.DismissRequest": {
    valid: ({ requestId = "req_none" }) => ({ requestId }),
    empty: ["request_id"],
    unknown: { request_id: noRequest },
    makePlace: makeAskingPlace,
  },
  "RequestService.CancelRequest": {
    valid: ({ requestId = "req_none" }) => ({ requestId }),
    empty: ["request_id"],
    unknown: { request_id: noRequest },
    makePlace: makeAskingPlace,
  },
  "RequestService.ClaimRequest": {
    valid: ({ requestId = "req_none" }) => ({ requestId, claimed: true }),
    empty: ["request_id"],
    unknown: { request_id: noRequest },
    makePlace: makeAskingPlace,
  },
  "AgentService.ListAgentDefinitions": { valid: () => ({}), unknown: {} },
  "WorkspaceService.ListWorkspaces": { valid: () => ({}), unknown: {} },
  "WorkspaceService.GetWorkspace": {
    valid: () => ({ path: "/" }),
    empty: ["path"],
    unknown: {},
    makePlace: makeKnownWorkspace,
  },
  "WorkspaceService.SetWorkspaceTrust": { valid: () => ({ path: "/", trusted: false }), empty: ["path"], unknown: {} },
  "PermissionService.GetPolicy": {
    valid: ({ sessionId }) => ({ sessionId }),
    empty: ["session_id"],
    unknown: { session_id: noSession },
  },
  "PermissionService.SetApprovalMode": {
    valid: ({ sessionId }) => ({ sessionId, mode: ApprovalMode.PLAN }),
    empty: ["session_id"],
    unknown: { session_id: noSession },
  },
  "PermissionService.ResolvePermission": {
    valid: ({ requestId = "req_none" }) => ({ requestId, decision: PermissionDecision.APPROVE }),
    empty: ["request_id", "decision"],
    unknown: { request_id: noRequest },
    makePlace: makeWaitingPlace,
  },
  "PermissionService.CreateRule": {
    valid: ({ sessionId }) => ({ sessionId, rule: gitStatus }),
    empty: ["rule"],
    unknown: { session_id: noSession },
  },
  "PermissionService.ListRules": { valid: ({ sessionId }) => ({ sessionId }), unknown: { session_id: noSession } },
  "PermissionService.DeleteRule": {
    valid: ({ ruleId = "rule_none" }) => ({ ruleId }),
    empty: ["rule_id"],
    unknown: { rule_id: { code: "NOT_FOUND", reason: "RULE_NOT_FOUND" } },
    makePlace: makeRuledPlace,
  },
  "PermissionService.ReplaceRules": {
    valid: ({ sessionId }) => ({ sessionId, scope: PermissionScope.SESSION, rules: [gitStatus] }),
    empty: ["scope"],
    unknown: { session_id: noSession },
  },
  "PermissionService.CheckPermission": {
    valid: ({ sessionId }) => ({ sessionId, tool: "shell", arguments: { command: "git status" } }),
    empty: ["session_id"],
    // A call that was made goes without a tool.
    unknown: { session_id: noSession, call_id: { code: "INVALID_ARGUMENT", reason: "INVALID_FIELD" } },
  },
  "ProfileService.GetProfile": {
    valid: () => ({ name: "demo" }),
    empty: ["name"],
    unknown: { name: noProfile },
  },
  "ProfileService.ListProfiles": { valid: () => ({}), unknown: {} },
  "EngineService.GetInfo": { valid: () => ({}), unknown: {} },
  "EngineService.CreateBackup": { valid: () => ({}), unknown: {} },
  "EngineService.ListAuditEntries": { valid: () => ({}), unknown: {}, free: ["session_id"] },
  "EngineService.GetStatus": { valid: () => ({}), unknown: {} },
  "EngineService.WatchEngine": { valid: () => ({}), unknown: {} },
  "EngineService.CreateToken": {
    valid: () => ({ name: newTokenName(), scope: Access_Scope.READ }),
    empty: ["name", "scope"],
    unknown: {},
    free: ["name"],
  },
  "EngineService.ListTokens": { valid: () => ({}), unknown: {} },
  "EngineService.RevokeToken": {
    valid: ({ tokenId = "tok_none" }) => ({ tokenId }),
    empty: ["token_id"],
    unknown: { token_id: { code: "NOT_FOUND", reason: "TOKEN_NOT_FOUND" } },
    makePlace: async (engine) => ({ ...NOWHERE, tokenId: (await makeToken(engine, Access_Scope.READ)).id }),
  },
};

const SCOPES = [
  { name: "read", scope: Access_Scope.READ },
  { name: "operate", scope: Access_Scope.OPERATE },
  { name: "admin", scope: Access_Scope.ADMIN },
];

const methods = (await loadServices()).flatMap((service) => service.methods);
const INVALID = { code: "INVALID_ARGUMENT", reason: "INVALID_FIELD" };
const TOO_LARGE = withLength(5 << 20);

/** Refuses: all that it has is looked at before and after, so that little is in it. */
let engine: TestEngine;
let transport: Transport;
let place: Place;
/** Accepts: each call has a place of its own there. */
let accepting: TestEngine;

beforeAll(async () => {
  [engine, accepting] = await Promise.all([startTestEngine(), startTestEngine()]);
  transport = plainTransport(engine);
  place = await makePlace(engine);
});

afterAll(async () => {
  await Promise.all([engine.dispose(), accepting.dispose()]);
});

const NOWHERE: Place = { sessionId: "", turnId: "" };

async function makePlace(engine: TestEngine): Promise<Place> {
  const { id: sessionId } = await createSession(engine);
  const { id: turnId } = await runTurn(engine, sessionId, "fail as fast as you can");
  const [message] = (await engine.sessions.listMessages({ sessionId })).messages;
  return { sessionId, turnId, messageId: message!.id };
}

/** A session whose turn goes on until it is cancelled, with two messages in its queue. */
async function makeBusyPlace(engine: TestEngine): Promise<Place> {
  const { id: sessionId } = await createSession(engine);
  const { turn } = await engine.messages.startTurn({ sessionId, parts: text("stall") });
  const { queuedId } = await engine.messages.followUp({ sessionId, parts });
  await engine.messages.followUp({ sessionId, parts });
  return { sessionId, turnId: turn!.id, queuedId };
}

/** Somebody has said something of the folder. */
async function makeKnownWorkspace(engine: TestEngine): Promise<Place> {
  await engine.workspaces.setWorkspaceTrust({ path: "/", trusted: false });
  return NOWHERE;
}

/** A session that waits for a human. */
async function makeAskingPlace(engine: TestEngine): Promise<Place> {
  const { id: sessionId } = await createSession(engine);
  const { request } = await engine.requests.createRequest({ sessionId, title: "which one?" });
  return { ...NOWHERE, sessionId, requestId: request!.id };
}

/** A session whose turn waits until a human lets its call run. */
async function makeWaitingPlace(engine: TestEngine): Promise<Place> {
  const asked = { ...gitStatus, effect: RuleEffect.ASK, tool: "now", pattern: "" };
  const { id: sessionId } = await createSession(engine, { rules: [asked] });
  const { turn } = await engine.messages.startTurn({ sessionId, parts: text("what time is it?") });
  return { sessionId, turnId: turn!.id, requestId: (await openPermission(engine, sessionId)).id };
}

async function makeRuledPlace(engine: TestEngine): Promise<Place> {
  const { id: sessionId } = await createSession(engine);
  const { rule } = await engine.permissions.createRule({ sessionId, rule: gitStatus });
  return { ...NOWHERE, sessionId, ruleId: rule!.id };
}

let tokenCount = 0;

function newTokenName(): string {
  return `token-${++tokenCount}`;
}

async function makeToken(engine: TestEngine, scope: Access_Scope): Promise<{ id: string; secret: string }> {
  const { token, secret } = await engine.engine.createToken({ name: newTokenName(), scope });
  return { id: token!.id, secret };
}

function validRequest(method: DescMethod, where: Place = place) {
  return makeRequest(method.input, ROWS[nameOf(method)]!.valid(where));
}

/** Makes the call, which must be refused. */
function refused(method: DescMethod, request: Message): Promise<Refusal> {
  return refusalOf(call(transport, method, request));
}

it("has a row for every method, and for nothing else", () => {
  expect(Object.keys(ROWS).toSorted()).toEqual(methods.map(nameOf).toSorted());
});

function rowsOf(fits: (method: DescMethod) => boolean) {
  return methods
    .filter((method) => ROWS[nameOf(method)] !== undefined && fits(method))
    .map((method) => ({ name: nameOf(method), method }));
}

describe.each(rowsOf(() => true))("$name", ({ name, method }) => {
  const row = ROWS[name]!;
  let before: Awaited<ReturnType<typeof stateOf>>;
  beforeAll(async () => {
    before = await stateOf(engine, place.sessionId);
  });
  const field = (fieldName: string) => method.input.fields.find((known) => known.name === fieldName);

  it("answers an empty request, or says which fields it misses", async () => {
    const request = makeRequest(method.input, {});
    if (row.empty === undefined) {
      await call(plainTransport(accepting), method, request);
      return;
    }
    const { fields, ...refusal } = await refused(method, request);
    expect(refusal).toMatchObject({ ...INVALID, metadata: { field: row.empty[0] } });
    expect(fields).toEqual(row.empty);
  });

  it.each(violationsOf(method.input))("refuses a request whose $field $what", async (violation) => {
    const request = clone(method.input, validRequest(method)) as ReturnType<typeof makeRequest>;
    violation.apply(request);
    const refusal = await refused(method, request);
    expect(refusal).toMatchObject(INVALID);
    expect(
      refusal.fields.some((name) => name.startsWith(violation.field)),
      `${refusal.fields.join()} names ${violation.field}`,
    ).toBe(true);
  });

  it("knows what every id means that it is given", () => {
    const ids = method.input.fields.filter(
      (known) => known.name.endsWith("_id") || ["profile", "name", "agent", "log_epoch"].includes(known.name),
    );
    const told = [...Object.keys(row.unknown), ...(row.free ?? [])];
    expect(told.toSorted()).toEqual(ids.map((known) => known.name).toSorted());
  });

  it.each(Object.entries(row.unknown))("refuses a %s that names nothing", async (fieldName, expected) => {
    const names = ["ses_000000000000000000000000", "\u0000", "../../etc/passwd", "' OR 1=1 --", "__proto__", "😀"];
    const requests = names.map((name) => Object.assign(validRequest(method), { [field(fieldName)!.localName]: name }));
    const refusals = await Promise.all(requests.map((request) => refused(method, request)));
    expect(refusals).toMatchObject(names.map(() => expected));
  });

  it("refuses a message of more than 4 MiB", async () => {
    const request = validRequest(method);
    request.$unknown = [{ no: 5000, wireType: WireType.LengthDelimited, data: TOO_LARGE }];
    expect(await refused(method, request)).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "REQUEST_TOO_LARGE" });
  });

  it("leaves everything as it was when it refuses", async () => {
    expect(await stateOf(engine, place.sessionId)).toEqual(before);
  });

  it("is for nobody without a token", async () => {
    const stranger = plainTransport(engine, { authorization: "" });
    expect(await refusalOf(call(stranger, method, validRequest(method)))).toMatchObject({
      code: "UNAUTHENTICATED",
      reason: "TOKEN_MISSING",
    });
    const guesser = plainTransport(engine, { authorization: "Bearer guessed" });
    expect(await refusalOf(call(guesser, method, validRequest(method)))).toMatchObject({
      code: "UNAUTHENTICATED",
      reason: "TOKEN_INVALID",
    });
  });

  it.each(SCOPES)("is for a token of scope $name exactly where its rule says so", async ({ scope }) => {
    const token = await makeToken(accepting, scope);
    const caller = plainTransport(accepting, { authorization: `Bearer ${token.secret}` });
    const required = getOption(method, access).scope;
    expect(required).toBeGreaterThan(Access_Scope.UNSPECIFIED);
    const told = await (
      scope < required ? call(caller, method, validRequest(method)) : callInPlace(caller, method)
    ).then(
      () => "accepted",
      (error: unknown) => toRefusal(error).reason,
    );
    expect(told).toBe(scope >= required ? "accepted" : "SCOPE_INSUFFICIENT");
    await accepting.engine.revokeToken({ tokenId: token.id });
  });

  it("accepts the request that all of these were made from", async () => {
    expect(await callInPlace(plainTransport(accepting), method)).toBeDefined();
    await noReaders(accepting);
  });
});

/** Makes the call where it is accepted. What it starts is over before the next test looks at the engine. */
async function callInPlace(caller: Transport, method: DescMethod): Promise<unknown> {
  const where = await (ROWS[nameOf(method)]!.makePlace ?? makePlace)(accepting);
  try {
    return await call(caller, method, validRequest(method, where));
  } finally {
    const { sessionId } = where;
    const running = await accepting.sessions.getSession({ sessionId }).catch(() => undefined);
    const turnId = running?.session?.runningTurnId;
    // By its name: it may end by itself before it is cancelled.
    if (turnId) await accepting.messages.cancelTurn({ sessionId, turnId });
  }
}

describe.each(rowsOf(({ methodKind }) => methodKind === "unary"))("$name as plain JSON", ({ method }) => {
  it("refuses JSON that is none, or of another shape", async () => {
    const path = `${method.parent.typeName}/${method.name}`;
    const wrongTypes = method.input.fields.map(({ jsonName }) => JSON.stringify({ [jsonName]: [[]] }));
    for (const body of ["", "{", "[]", "null", "7", '"x"', "{}{}", ...wrongTypes]) {
      const { status, json, text: said } = await engine.post(path, body);
      expect({ body, status, code: json["code"] }).toEqual({ body, status: 400, code: "invalid_argument" });
      expect(said).toContain("MALFORMED_REQUEST");
      expect(said).not.toMatch(/node_modules|\.ts:|at Object|\/work\//);
    }
  });
});

describe("the pages", () => {
  let tokens: Record<string, string>;
  beforeAll(async () => {
    const { sessionId } = await makePlace(engine);
    await runTurn(engine, sessionId, "echo: x");
    const busy = await makeBusyPlace(engine);
    tokens = await pageTokens(sessionId, busy.sessionId);
    await engine.messages.cancelTurn({ sessionId: busy.sessionId });
  });

  describe.each(rowsOf(({ input }) => input.field["pageToken"] !== undefined))("of $name", ({ name, method }) => {
    it("takes no page token that it did not give for the same list", async () => {
      const own = tokens[name]!;
      const foreign = Object.entries(tokens).flatMap(([from, token]) => (from === name ? [] : [token]));
      const forged = [
        "x",
        "0",
        "MA",
        own.slice(1),
        `${own}xxxx`,
        `${own}=`,
        own.toUpperCase(),
        Buffer.from("1.AAAAAAAAAAAA").toString("base64url"),
      ];
      const ofOtherSession = method.input.field["sessionId"] === undefined ? [] : [own];
      const given = [...foreign, ...forged, ...ofOtherSession];
      const refusals = await Promise.all(
        given.map((pageToken) => refused(method, Object.assign(validRequest(method), { pageToken }))),
      );
      for (const [index, { fields, ...refusal }] of refusals.entries()) {
        expect({ pageToken: given[index], ...refusal }).toEqual({ pageToken: given[index], ...INVALID_TOKEN });
        expect(fields.length === 0 || fields.includes("page_token")).toBe(true);
      }
    });

    it("lowers a page size that is too large", async () => {
      const response = await call(transport, method, Object.assign(validRequest(method), { pageSize: 2 ** 31 - 1 }));
      expect(response).toMatchObject({ nextPageToken: "" });
    });
  });
});

const INVALID_TOKEN = { code: "INVALID_ARGUMENT", reason: "INVALID_PAGE_TOKEN", metadata: { field: "page_token" } };

/** A token of each list, for the second page. Profiles fit on one page, so theirs is empty. */
async function pageTokens(sessionId: string, busySessionId: string): Promise<Record<string, string>> {
  const sessions = await engine.sessions.listSessions({ pageSize: 1 });
  const messages = await engine.sessions.listMessages({ sessionId, pageSize: 1 });
  const found = await engine.sessions.searchMessages({ query: "as", pageSize: 1 });
  const context = await engine.sessions.getContext({ sessionId, pageSize: 1 });
  const turns = await engine.messages.listTurns({ sessionId, pageSize: 1 });
  const queue = await engine.messages.listQueue({ sessionId: busySessionId, pageSize: 1 });
  await Promise.all([makeToken(engine, Access_Scope.READ), makeToken(engine, Access_Scope.READ)]);
  const tokens = await engine.engine.listTokens({ pageSize: 1 });
  for (const title of ["one?", "two?"]) await engine.requests.createRequest({ sessionId, title });
  const requests = await engine.requests.listRequests({ sessionId, pageSize: 1 });
  const workspaces = await engine.workspaces.listWorkspaces({ pageSize: 1 });
  await writeAgent(engine, "one");
  await writeAgent(engine, "two");
  const agents = await engine.agents.listAgentDefinitions({ pageSize: 1 });
  for (let i = 0; i < 2; i++) await engine.permissions.createRule({ sessionId, rule: gitStatus });
  const rules = await engine.permissions.listRules({ sessionId, pageSize: 1 });
  const audit = await engine.engine.listAuditEntries({ sessionId, pageSize: 1 });
  return {
    "PermissionService.ListRules": rules.nextPageToken,
    "SessionService.ListSessions": sessions.nextPageToken,
    "SessionService.ListMessages": messages.nextPageToken,
    "SessionService.SearchMessages": found.nextPageToken,
    "SessionService.GetContext": context.nextPageToken,
    "MessageService.ListTurns": turns.nextPageToken,
    "MessageService.ListQueue": queue.nextPageToken,
    "EngineService.ListTokens": tokens.nextPageToken,
    "EngineService.ListAuditEntries": audit.nextPageToken,
    "RequestService.ListRequests": requests.nextPageToken,
    "WorkspaceService.ListWorkspaces": workspaces.nextPageToken,
    "AgentService.ListAgentDefinitions": agents.nextPageToken,
    "ProfileService.ListProfiles": sessions.nextPageToken.toLowerCase(),
  };
}

/** A field of bytes as the wire has it. */
function withLength(size: number): Uint8Array {
  const bytes = new Uint8Array(size + 4).fill(120);
  for (let i = 0, rest = size; i < 4; i++, rest >>>= 7) bytes[i] = (rest & 127) | (i < 3 ? 128 : 0);
  return bytes;
}

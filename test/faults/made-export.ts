/** Numbers from 0 to 1, the same for the same seed. */
export function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const ODD = [
  "",
  " ",
  "\n",
  "\t\u0000\u001f",
  '"\\/',
  "\u2028\u2029",
  "ß",
  "é",
  "e\u0301",
  "🦜",
  "👩‍👩‍👧",
  "עברית",
  "\uFEFF",
  "'; --",
  "%00",
  "{}",
];

/** A file of sessions with everything that may be in one, as an engine writes it; each line comes when it is asked for. */
export function* makeExport(sessions: number, seed = 1): Generator<string> {
  const random = createRandom(seed);
  const upTo = (count: number): number => Math.floor(random() * count);
  const words = (count: number): string =>
    Array.from({ length: upTo(count) }, () => (random() < 0.1 ? ODD[upTo(ODD.length)] : `word${upTo(5000)}`)).join(" ");
  const oneOf = <T>(...all: T[]): T => all[upTo(all.length)] as T;
  const usage = () => ({
    inputTokens: upTo(100_000),
    outputTokens: upTo(10_000),
    reasoningTokens: upTo(100),
    cachedInputTokens: upTo(1000),
    modelCalls: upTo(3),
  });
  let messages = 0;
  let lastId = "";

  function* conversation(number: number, createTimeMs: number): Generator<object> {
    for (let i = 0; i < upTo(12); i++) {
      const base = (role: string, status = "complete") => ({
        id: `msg_${number}_${messages++}`,
        turnId: `turn_${number}_${Math.floor(i / 3)}`,
        role,
        status,
        createTimeMs: createTimeMs + i,
      });
      yield { ...base(oneOf("user", "user", "system")), parts: [{ kind: "text", text: words(60) }] };
      const callId = `call_${number}_${i}`;
      const call = { kind: "tool_call", callId, providerCallId: words(2), name: "now" };
      const broken: object = { ...call, arguments: {}, invalidArguments: words(5) };
      const given: object = {
        ...call,
        arguments: { text: words(5), deep: [{ n: upTo(9), half: 0.5, none: null, big: 1e21 }] },
      };
      const parts = [
        { kind: "reasoning", text: words(20) },
        { kind: "text", text: words(120) },
      ];
      const said = random() < 0.3 ? [...parts, oneOf(broken, given)] : parts;
      const status = oneOf("complete", "complete", "complete", "cancelled", "failed", "interrupted");
      yield { ...base("assistant", said.length > 2 ? "complete" : status), model: "demo", usage: usage(), parts: said };
      if (said.length <= 2) continue;
      const outcome = oneOf("succeeded", "failed", "cancelled", "unknown");
      yield { ...base("tool"), parts: [{ kind: "tool_result", callId, outcome, text: words(30) }] };
    }
  }

  yield '{"format":"parley.sessions","version":1}\n';
  for (let number = 0; number < sessions; number++) {
    const createTimeMs = 1_700_000_000_000 + number * 1000;
    const id = `ses_made_${number}`;
    const session = {
      id,
      title: words(8),
      profile: oneOf("demo", "gone"),
      model: oneOf("", "m-1"),
      systemPrompt: words(30),
      workspace: oneOf("", "/somewhere else/é"),
      labels: Object.fromEntries(Array.from({ length: upTo(4) }, (_, i) => [`l${i}${oneOf("é", "🦜", "")}`, words(3)])),
      limits: {
        maxSteps: 1 + upTo(100),
        maxTokens: upTo(1e6),
        maxWorkingTimeMs: 1 + upTo(1e6),
        maxSilenceMs: 1 + upTo(1e6),
        maxSilenceBeforeFirstMs: 1 + upTo(1e6),
      },
      starred: random() < 0.2,
      resumeAfterRestart: random() < 0.5,
      retryPartial: random() < 0.5,
      approvalMode: oneOf("default", "plan", "trust_all"),
      forkedFrom: random() < 0.2 ? lastId : "",
      usage: usage(),
      createTimeMs,
      updateTimeMs: createTimeMs + upTo(1e9),
    };
    lastId = id;
    yield `${JSON.stringify({ session })}\n`;
    for (const message of conversation(number, createTimeMs)) yield `${JSON.stringify({ message })}\n`;
  }
  yield `${JSON.stringify({ end: { sessions, messages } })}\n`;
}

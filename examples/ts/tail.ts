// Shows the end of a session and then what happens in it, as `tail -f` does with a file; goes on over restarts of the engine.
//
//   node examples/ts/tail.ts SESSION
//
// A snapshot first, then the stream from where the snapshot was read: the way to open a session that may be long and may be
// running. Ctrl-C ends it.
import process from "node:process";
// Outside this repository: "parley/client".
import { applyEvent, createClient, createTranscript, followSession, Role } from "../../src/client/client.ts";

const client = createClient();
const [sessionId = ""] = process.argv.slice(2);
const stop = new AbortController();
process.once("SIGINT", () => stop.abort());

const snapshot = await client.sessions.getSnapshot({ sessionId, pageSize: 10 });
let transcript = createTranscript(snapshot);
/** How much of each message is on the screen. */
const printed = new Map<string, number>();
for (const id of transcript.messages.keys()) print(id);

const from = { sessionId, afterSeq: snapshot.lastSeq, logEpoch: snapshot.logEpoch, signal: stop.signal };
for await (const item of followSession(client, from)) {
  if (item.kind === "reset") {
    console.log("\n(another log: the engine was restored from a backup)");
    transcript = createTranscript();
    printed.clear();
  } else if (item.kind === "event") {
    const changed = applyEvent(transcript, item.event);
    if (changed !== undefined) print(changed.id);
  }
}
client.close();

/** Prints what is new of a message: deltas make it longer, `message_completed` only ends it. */
function print(id: string): void {
  const { text, message, role } = transcript.messages.get(id)!;
  if (role === Role.TOOL) return;
  const known = printed.get(id) ?? 0;
  const lead = known === 0 && text !== "" && role === Role.USER ? "› " : "";
  const isWhole = message !== undefined && printed.get(`${id} end`) === undefined;
  process.stdout.write(`${lead}${text.slice(known)}${isWhole && text !== "" ? "\n" : ""}`);
  printed.set(id, text.length);
  if (isWhole) printed.set(`${id} end`, 1);
}

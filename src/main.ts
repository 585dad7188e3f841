import { runProgram } from "./cli/program/program.ts";

const exitCode = await runProgram(process.argv.slice(2));
// What was written into a pipe may still be on its way: an exit would cut it off where its reader is slow.
await new Promise<void>((resolve) => process.stdout.write("", () => resolve()));
// At once, not when the event loop is empty: a command that is done must not hang on a connection that is not.
process.exit(exitCode);

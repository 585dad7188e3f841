import { runProgram } from "./cli/program.ts";

// At once, not when the event loop is empty: a command that is done must not hang on a connection that is not.
process.exit(await runProgram(process.argv.slice(2)));

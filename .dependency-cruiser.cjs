// The arrows of the architecture: main -> cli only; cli/serve.ts -> engine -> server -> rpc -> nouns -> store.
// model/, tool/, workspace/ and errors.ts are leaves. test/arrows.test.ts shows that each rule catches a violation.

const index = ["^src/index\\.ts$", "^src/.+/index\\.ts$"];
const test = "\\.test\\.ts$";
const protobuf = "(^gen/|node_modules/@bufbuild/)";
// Everything in src/ that is a noun of the product: every folder that is not one of these.
const outer = "src/(main\\.ts|cli/|engine[./]|client/|server/|rpc/)";
const noun = "^src/(?!(engine|cli|client|server|rpc|store|model|tool|workspace)/)[^/]+/";
const ownerCommands = "^src/cli/(backup|restore|doctor|up|down|logs|running-engine|audit/verify)\\.ts$";
const leaf = "^src/(model|tool|workspace)/|^src/(errors|clock|words)\\.ts$";

const forbid = (name, comment, from, to) => ({ name, comment, severity: "error", from, to });

/** @type {import("dependency-cruiser").IConfiguration} */
module.exports = {
  forbidden: [
    forbid(
      "no-cycles",
      "two files that need each other are one file, or miss a third",
      { path: "^src/" },
      { circular: true },
    ),
    forbid("no-index", "import the file that declares the name", {}, { path: index }),
    forbid("no-index-itself", "import the file that declares the name", { path: index }, {}),
    forbid("no-tests", "tests are nobody's import", { path: "^src/", pathNot: test }, { path: `^test/|${test}` }),
    forbid("resolvable", "an import that leads nowhere", { path: "^src/" }, { couldNotResolve: true }),
    forbid(
      "main-knows-cli-only",
      "the entry knows the command line and nothing else",
      { path: "^src/main\\.ts$" },
      { path: "^(src|gen)/", pathNot: "^src/cli/" },
    ),
    forbid(
      "cli-is-a-client",
      "a command talks to a running engine through the client; only serve.ts starts one",
      { path: "^src/cli/", pathNot: `^src/cli/serve\\.ts$|${ownerCommands}|${test}` },
      { path: "^src/", pathNot: "^src/(cli/|client/|config\\.ts$|errors\\.ts$|clock\\.ts$)" },
    ),
    forbid(
      "owner-commands-start-no-engine",
      "the commands for the owner of a data directory work on its files, also where no engine runs",
      { path: ownerCommands },
      {
        path: "^src/",
        pathNot: "^src/(cli/|client/|backup/|doctor/|(data-dir|durable-file|config|errors|clock|listen)\\.ts$)",
      },
    ),
    forbid(
      "serve-starts-the-engine",
      "serve.ts sees the engine, not what it is made of",
      { path: "^src/cli/serve\\.ts$" },
      {
        path: "^src/",
        pathNot: "^src/(cli/|client/|engine\\.ts$|server/shutdown\\.ts$|config\\.ts$|errors\\.ts$|clock\\.ts$)",
      },
    ),
    forbid(
      "client-stands-alone",
      "what others import must not bring the engine with it",
      { path: "^src/client/", pathNot: test },
      { path: "^src/", pathNot: "^src/(client/|config\\.ts$|errors\\.ts$|clock\\.ts$|listen\\.ts$)" },
    ),
    forbid(
      "engine-looks-inward",
      "the composition root is started by a command, never the other way round",
      { path: "^src/engine(/|\\.ts$)" },
      { path: "^src/(main\\.ts|cli/|client/)" },
    ),
    forbid(
      "server-looks-inward",
      "server -> rpc, never outward",
      { path: "^src/server/", pathNot: test },
      { path: "^src/(main\\.ts|cli/|client/|engine[./])" },
    ),
    forbid(
      "rpc-looks-inward",
      "rpc -> nouns, never outward",
      { path: "^src/rpc/", pathNot: test },
      { path: "^src/(main\\.ts|cli/|client/|engine[./]|server/)" },
    ),
    forbid(
      "nouns-look-inward",
      "nouns -> store and leaves, never outward",
      { path: noun, pathNot: test },
      { path: `^${outer}` },
    ),
    forbid(
      "store-looks-inward",
      "the store knows rows, not nouns",
      { path: "^src/store/", pathNot: test },
      { path: "^src/", pathNot: "^src/(store/|errors\\.ts$|clock\\.ts$|words\\.ts$)" },
    ),
    forbid(
      "config-is-pure",
      "one pure function of environment, flags and file, which may say what profiles there are",
      { path: "^src/config\\.ts$" },
      { path: "^(src|gen)/", pathNot: "^src/(config|errors|listen|profile/profile|permission/approval-mode)\\.ts$" },
    ),
    forbid(
      "leaves-know-nobody",
      "what a leaf needs of the engine comes in its arguments; the shapes of a message, of usage and of a list of things to do are its language",
      { path: leaf, pathNot: test },
      { path: "^(src|gen)/", pathNot: `${leaf}|^src/(message/message|usage/usage|todo/todo)\\.ts$` },
    ),
    forbid(
      "leaves-know-not-each-other",
      "a model calls no tool, a tool calls no model",
      { path: "^src/(model|tool|workspace)/", pathNot: test },
      { path: "^src/(model|tool|workspace)/", pathNot: "^src/($1)/|^src/workspace/" },
    ),
    forbid(
      "gen-at-the-edge",
      "generated code is imported where the wire is",
      { path: "^(src|web)/", pathNot: `^src/(rpc|client|cli)/|^web/src/api\\.ts$|${test}` },
      { path: "^gen/" },
    ),
    forbid(
      "protobuf-at-the-edge",
      "nothing inside knows protobuf",
      { path: "^src/", pathNot: `^src/(rpc|client|cli|server)/|${test}` },
      { path: protobuf },
    ),
    forbid(
      "connect-at-the-edge",
      "nothing inside knows Connect",
      { path: "^(src|web)/", pathNot: `^src/(rpc|client|cli|server)/|^web/src/api\\.ts$|${test}` },
      { path: "node_modules/@connectrpc/" },
    ),
    forbid(
      "http-at-the-edge",
      "nothing inside knows HTTP; a model adapter may speak it to its provider, and a tool to the web",
      {
        path: "^src/",
        pathNot: `^src/(rpc|client|cli|server|model)/|^src/tool/web/safe-fetch(-body)?\\.ts$|${test}`,
      },
      { path: "^(node:)?(http|https|http2)$|node_modules/(fastify|@fastify)/" },
    ),
  ],
  options: {
    doNotFollow: { path: "node_modules|^gen/" },
    parser: "swc",
    tsPreCompilationDeps: true,
    detectProcessBuiltinModuleCalls: true,
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default", "types"],
      extensions: [".ts", ".tsx", ".mjs", ".js"],
    },
  },
};

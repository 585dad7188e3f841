import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { type ICruiseResult, cruise } from "dependency-cruiser";
import { expect, test } from "vitest";

// The negative control of .dependency-cruiser.cjs: a rule that matches nothing any more would pass for ever.
// rule -> file -> what it imports
const violations: Record<string, Record<string, string[]>> = {
  "no-cycles": { "src/usage/a.ts": ["./b.ts"] },
  "no-index": { "src/turn/x.ts": ["../session/index.ts"] },
  "no-index-itself": { "src/session/index.ts": ["./session.ts"] },
  "no-tests": { "src/session/imports-test.ts": ["./session.test.ts"] },
  resolvable: { "src/session/lost.ts": ["./nowhere.ts"] },
  "main-knows-cli-only": { "src/main.ts": ["./engine.ts"] },
  "cli-is-a-client": { "src/cli/status.ts": ["../session/session.ts"], "src/cli/chat/chat.ts": ["../../engine.ts"] },
  "owner-commands-start-no-engine": { "src/cli/restore.ts": ["../engine.ts"], "src/cli/up.ts": ["../store/sqlite.ts"] },
  "serve-starts-the-engine": { "src/cli/serve.ts": ["../store/sqlite.ts"] },
  "client-stands-alone": { "src/client/client.ts": ["../event/event.ts"] },
  "engine-looks-inward": { "src/engine.ts": ["./cli/serve.ts"] },
  "server-looks-inward": { "src/server/app.ts": ["../engine.ts"] },
  "rpc-looks-inward": { "src/rpc/session-service.ts": ["../server/app.ts"] },
  "nouns-look-inward": { "src/session/session.ts": ["../rpc/session-service.ts"] },
  "store-looks-inward": { "src/store/sqlite.ts": ["../session/session.ts"] },
  "config-is-pure": { "src/config.ts": ["./store/sqlite.ts"] },
  "leaves-know-nobody": { "src/tool/now.ts": ["../session/session.ts"], "src/errors.ts": ["./config.ts"] },
  "leaves-know-not-each-other": { "src/tool/other.ts": ["../model/demo.ts"] },
  "gen-at-the-edge": {
    "src/event/event.ts": ["../../gen/ts/event_pb.ts"],
    "web/src/page.ts": ["../../gen/ts/event_pb.ts"],
  },
  "protobuf-at-the-edge": { "src/event/codec.ts": ["@bufbuild/protobuf"] },
  "connect-at-the-edge": { "src/turn/turn.ts": ["@connectrpc/connect"] },
  "http-at-the-edge": { "src/turn/http.ts": ["node:http"], "src/profile/profile.ts": ["fastify"] },
};
const innocent = {
  "src/usage/b.ts": ["./a.ts"],
  "src/cli/backup.ts": ["../backup/manifest.ts", "../data-dir.ts"],
  "src/backup/manifest.ts": [],
  "src/data-dir.ts": [],
  "src/cli/serve.ts": ["../config.ts", "../../gen/ts/event_pb.ts"],
  "src/rpc/session-service.ts": ["../session/session.ts", "@bufbuild/protobuf", "@connectrpc/connect"],
  "src/session/session.test.ts": ["../rpc/session-service.ts"],
  "src/model/demo.ts": ["../message/message.ts", "node:http"],
  "src/message/message.ts": [],
  "web/src/api.ts": ["../../gen/ts/event_pb.ts"],
  "gen/ts/event_pb.ts": ["@bufbuild/protobuf"],
};

test("each rule about imports reports its violation, and nothing that is allowed", async () => {
  const { forbidden, options } = createRequire(import.meta.url)("../.dependency-cruiser.cjs") as {
    forbidden: { name: string }[];
    options: object;
  };
  expect(Object.keys(violations).sort()).toEqual(forbidden.map((rule) => rule.name).sort());

  // Inside the project, so that packages are found as the project finds them.
  const folder = mkdtempSync(join(import.meta.dirname, "../.arrows-"));
  try {
    const files: Record<string, string[]> = {};
    for (const part of [...Object.values(violations), innocent]) {
      for (const [file, imports] of Object.entries(part)) (files[file] ??= []).push(...imports);
    }
    for (const [file, imports] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      // Types count too: half of them through import type.
      const lines = imports.map((path, i) =>
        i % 2 === 0 ? `import type { T${i} } from "${path}";` : `import * as v${i} from "${path}";`,
      );
      const uses = imports.map((_, i) => (i % 2 === 0 ? `export type U${i} = T${i};` : `export const u${i} = v${i};`));
      writeFileSync(join(folder, file), [...lines, ...uses, "export const x = 1;", ""].join("\n"));
    }
    const { output } = await cruise(["src", "web"], {
      ...options,
      ruleSet: { forbidden: forbidden as never },
      validate: true,
      baseDir: folder,
    });
    const found = (output as ICruiseResult).summary.violations.map(
      ({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`,
    );

    for (const [rule, sources] of Object.entries(violations)) {
      for (const source of Object.keys(sources)) {
        expect(
          found.filter((line) => line.startsWith(`${rule}: ${source} -> `)),
          `${rule} in ${source}`,
        ).not.toEqual([]);
      }
    }
    const allowed = Object.entries(innocent).flatMap(([file, imports]) =>
      imports.map((path) => `${file} -> ${join(dirname(file), path)}`),
    );
    const wrong = found.filter(
      (line) => !line.startsWith("no-cycles") && allowed.some((edge) => line.endsWith(`: ${edge}`)),
    );
    expect(wrong).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

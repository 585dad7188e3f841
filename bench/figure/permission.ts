import { assessCommand } from "../../src/permission/assess-command.ts";
import { createCommands } from "../../src/tool/process/commands.ts";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/clock.ts";
import { newId } from "../../src/id.ts";
import { createIdempotency } from "../../src/idempotency/idempotency.ts";
import { decide } from "../../src/permission/decision.ts";
import { createProtectedPaths } from "../../src/permission/protected-paths.ts";
import { createRule } from "../../src/permission/rules.ts";
import { openWorkspaces } from "../../src/workspace/workspaces.ts";
import { createProfiles } from "../../src/profile/profile.ts";
import { createSession } from "../../src/session/create-session.ts";
import { openSqlite } from "../../src/store/sqlite.ts";
import { DEFAULT_LIMITS } from "../../src/turn/turn.ts";
import { ms, verdict } from "../row.ts";
import { median, quantile } from "../sample.ts";
import type { Figure } from "./figure.ts";

const TARGET_MS = 1;
const ROUNDS = 1000;
const WARM_UP = 200;

const DEMO = {
  name: "demo",
  provider: "demo",
  model: "demo",
  baseUrl: "",
  apiKey: undefined,
  description: "",
} as const;
const COMMANDS = [
  "git status",
  "npm test",
  "ls -la src && cat package.json | head -20",
  "git add src/a.ts && git commit -m 'what changed'",
  "for f in a b c; do grep -n x $f; done",
];

/** A decision on a shell command, with 30 rules in the store: parsing, looking up the files that it names, reading the rules. */
export const permission: Figure = async () => {
  const folder = mkdtempSync(join(tmpdir(), "parley-bench-permission-"));
  const db = openSqlite(join(folder, "parley.db"));
  try {
    const clock = systemClock;
    const idempotency = createIdempotency(db, clock);
    const base = { db, clock, newId, idempotency };
    const settings = {
      title: "",
      profile: "",
      model: "",
      systemPrompt: "",
      workspace: "",
      labels: {},
      limits: DEFAULT_LIMITS,
      starred: false,
      resumeAfterRestart: false,
      retryPartial: false,
    };
    const profiles = createProfiles([DEMO], "demo");
    const workspaces = await openWorkspaces(folder, []);
    const session = await createSession({ ...base, profiles, workspaces }, { idempotencyKey: "", settings });
    for (let i = 0; i < 30; i++) {
      const draft = {
        effect: i % 3 === 0 ? "deny" : "allow",
        scope: "global",
        tool: "shell",
        pattern: `x${i} *`,
      } as const;
      const place = { scope: "global", sessionId: "", workspace: "" } as const;
      await createRule(base, { ...place, idempotencyKey: "", draft, lifetimeMs: undefined, actor: "" });
    }
    const { tools } = createCommands({
      owner: "bench",
      env: {},
      assess: assessCommand,
      allowsWorkspace: () => true,
      onLeft: () => {},
      onBug: () => {},
    });
    const deps = { db, clock, tools, protectedPaths: createProtectedPaths("/nowhere/parley") };
    const samples: number[] = [];
    for (let i = -WARM_UP; i < ROUNDS; i++) {
      const command = COMMANDS[Math.abs(i) % COMMANDS.length] ?? "";
      const startMs = performance.now();
      await decide(deps, session, "shell", { command });
      if (i >= 0) samples.push(performance.now() - startMs);
    }
    const own = median(samples);
    return [
      {
        figure: "decide on a shell command",
        measured: ms(own),
        beside: "-",
        compared: "-",
        target: `${TARGET_MS} ms`,
        verdict: verdict(own <= TARGET_MS),
        note: `30 rules, without the sandbox; p99 ${ms(quantile(samples, 0.99))}`,
        values: { decision_ms: own, decision_p99_ms: quantile(samples, 0.99) },
      },
    ];
  } finally {
    await db.close();
    rmSync(folder, { recursive: true });
  }
};

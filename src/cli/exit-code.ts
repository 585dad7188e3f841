/** What the process says when it ends; `--help` lists them. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  noEngine: 3,
  refused: 4,
  limitReached: 5,
  cancelled: 6,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const EXIT_HELP = `Exit codes:
  0    ok; of run: the turn completed
  1    failed; of run: the turn failed or was cut off; of agents: one cannot be used
  2    wrong usage
  3    no engine reachable
  4    refused by the engine
  5    run: a limit was reached
  6    run: the turn was cancelled by somebody; requests ask: nobody answered
  130  interrupted with Ctrl-C; of run: or with SIGTERM`;

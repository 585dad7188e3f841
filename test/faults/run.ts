// The long forms of the fault tests: `npm run test:faults [-- NAME [COUNT]]`. A line for each figure; ends with 1 where one
// was not reached.
import { auditKill } from "./audit-kill.ts";
import { backupFullDisk, backupLoad } from "./backup-load.ts";
import { type Figure, lineOf } from "./figure.ts";
import { eventLogModel } from "./event-log-model.ts";
import { cancelTrue } from "./cancel-true.ts";
import { exactStreams } from "./exact-streams.ts";
import { floods } from "./floods.ts";
import { fullDisk } from "./full-disk.ts";
import { onceMeansOnce } from "./once.ts";
import { editKill } from "./edit-kill.ts";
import { openRequests } from "./open-requests.ts";
import { permissionKill } from "./permission-kill.ts";
import { permissionOnce } from "./permission-once.ts";
import { leftOvers } from "./left-overs.ts";
import { lifeModel } from "./life-model.ts";
import { killLoop } from "./kill-loop.ts";
import { pausingReader } from "./pausing-reader.ts";
import { powerCut } from "./power-cut.ts";
import { queueModel } from "./queue-model.ts";
import { queueStorm } from "./queue-storm.ts";
import { roundTrip } from "./round-trip.ts";
import { slowReaders } from "./slow-readers.ts";
import { snapshotWatch } from "./snapshot-watch.ts";
import { startupFaults } from "./startup-faults.ts";
import { waitingCallers } from "./waiting-callers.ts";
import { waitingKill } from "./waiting-kill.ts";
import { symlinkRace } from "./symlink-race.ts";

interface Check {
  /** How many drops, readers, seconds, steps, kills, cuts or megabytes, unless told. */
  readonly count: number;
  readonly run: (count: number) => Promise<readonly Figure[]>;
}

const CHECKS: Readonly<Record<string, Check>> = {
  "startup-faults": { count: 1, run: startupFaults },
  "full-disk": { count: 1, run: fullDisk },
  backup: { count: 10, run: async (backups) => [...(await backupLoad(backups)), ...(await backupFullDisk())] },
  "exact-streams": { count: 100, run: (drops) => exactStreams({ words: 400, wordsPerSecond: 50, drops }) },
  "slow-readers": {
    count: 1000,
    run: (count) => slowReaders({ never: count * 0.5, vanish: count * 0.3, read: count * 0.2 }),
  },
  "pausing-reader": { count: 60, run: pausingReader },
  "event-log-model": { count: 100_000, run: eventLogModel },
  "audit-kill": { count: 100, run: auditKill },
  "kill-loop": { count: 200, run: killLoop },
  "queue-model": { count: 100_000, run: queueModel },
  "queue-storm": { count: 100, run: queueStorm },
  "life-model": { count: 100_000, run: lifeModel },
  "snapshot-watch": { count: 1000, run: snapshotWatch },
  "round-trip": { count: 10_000, run: roundTrip },
  once: { count: 1000, run: onceMeansOnce },
  "waiting-callers": { count: 2000, run: waitingCallers },
  "open-requests": { count: 100, run: openRequests },
  "permission-once": { count: 1000, run: permissionOnce },
  "permission-kill": { count: 100, run: permissionKill },
  "waiting-kill": { count: 100, run: waitingKill },
  "cancel-true": { count: 20, run: cancelTrue },
  floods: { count: 5000, run: floods },
  "left-overs": { count: 10, run: leftOvers },
  "edit-kill": { count: 50, run: editKill },
  "symlink-race": { count: 10_000, run: symlinkRace },
  "power-cut": { count: 200, run: powerCut },
};

const [name, countText] = process.argv.slice(2);
if (name !== undefined && !(name in CHECKS)) {
  console.error(`there is no fault test ${name}; name one of ${Object.keys(CHECKS).join(", ")}`);
  process.exit(2);
}
let failed = 0;
for (const [known, { count, run }] of Object.entries(CHECKS)) {
  if (name !== undefined && name !== known) continue;
  const startedAt = performance.now();
  const figures = await run(countText === undefined ? count : Number(countText));
  for (const figure of figures) console.log(lineOf(figure));
  failed += figures.filter(({ ok }) => !ok).length;
  console.log(`       ${known} took ${((performance.now() - startedAt) / 1000).toFixed(0)} s`);
}
console.log(failed === 0 ? "all figures reached" : `${failed} figures not reached`);
process.exit(failed === 0 ? 0 : 1);

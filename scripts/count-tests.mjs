// Sums up reports of the test runner for CI: `count-tests.mjs CHECKS REPORT [SECOND_REPORT]`, where CHECKS says whether the
// checks before them "passed" or "failed". Ends with "N passed, N failed"; a skipped test, and a file that does not load, count
// as failed. A second report is of the files that failed in the first, and stands in for them.
// `count-tests.mjs --failed-files REPORT` prints those files, one a line.
import { readFileSync } from "node:fs";
import { relative } from "node:path";
import { root } from "./files.mjs";

const [first, ...reports] = process.argv.slice(2);
if (first === "--failed-files") {
  for (const { name, status } of filesOf(reports[0])) if (status === "failed") console.log(relative(root, name));
} else {
  sumUp(first === "failed", reports);
}

function sumUp(isCheckBroken, [crowd, alone]) {
  const files = new Map(filesOf(crowd).map((file) => [file.name, file]));
  for (const again of alone === undefined ? [] : filesOf(alone)) {
    const before = files.get(again.name);
    for (const { fullName } of before.assertionResults.filter(isFailed)) console.log(`run twice: ${fullName}`);
    files.set(again.name, again);
  }
  const tests = [...files.values()].flatMap(({ assertionResults }) => assertionResults);
  const passed = tests.filter(({ status }) => status === "passed").length;
  const skipped = tests.filter((test) => test.status !== "passed" && !isFailed(test)).length;
  // A file that does not load has no tests to fail.
  const broken = [...files.values()].filter(
    (file) => file.status === "failed" && !file.assertionResults.some(isFailed),
  );
  for (const { name } of broken) console.log(`does not load: ${relative(root, name)}`);
  if (files.size === 0) console.log("the test runner left no report");
  if (skipped > 0) console.log(`${skipped} tests were skipped; in CI each must run`);
  if (isCheckBroken) console.log("npm run check failed");
  const failed =
    tests.filter(isFailed).length + broken.length + skipped + (isCheckBroken ? 1 : 0) + (passed === 0 ? 1 : 0);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}

function filesOf(report) {
  try {
    return JSON.parse(readFileSync(report, "utf8")).testResults;
  } catch {
    return [];
  }
}

function isFailed({ status }) {
  return status === "failed";
}

// `npm run conformance`: the Connect conformance suite against the engine's own server. Needs Go and
// `go install connectrpc.com/conformance/cmd/connectconformance@v1.0.7`.
import { runConformance } from "./suite.ts";

const result = await runConformance((text) => process.stdout.write(text));
if (result.kind === "missing") console.error(result.reason);
process.exitCode = result.kind === "ran" && result.exitCode === 0 ? 0 : 1;

// A program: the least that a server on Node can be, for comparison with the engine's start.
import { createServer } from "node:http";

const server = createServer((_request, response) => response.end());
server.listen(0, "127.0.0.1", () => console.log(`READY http://127.0.0.1:${server.address().port}`));
process.once("SIGTERM", () => process.exit());

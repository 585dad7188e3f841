// Serves the page of examples/browser, bundled, on an origin of its own:
//
//   npx node examples/browser/serve.ts                                  and in another terminal
//   bin/parley serve --allow-origin http://127.0.0.1:5173
//
// Then open http://127.0.0.1:5173 and enter what `bin/parley token` prints.
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { build } from "esbuild";

const here = import.meta.dirname;

/** Bundles the page and listens; 0 = a free port. */
export async function servePage(port: number): Promise<{ readonly origin: string; readonly server: Server }> {
  const { outputFiles } = await build({
    entryPoints: [join(here, "main.ts")],
    bundle: true,
    format: "esm",
    target: "es2024",
    minify: true,
    write: false,
  });
  const files = new Map<string, readonly [type: string, content: Uint8Array]>([
    ["/", ["text/html", await readFile(join(here, "index.html"))]],
    ["/style.css", ["text/css", await readFile(join(here, "style.css"))]],
    ["/main.js", ["text/javascript", outputFiles[0]!.contents]],
  ]);
  const server = createServer((request, response) => {
    const file = files.get(new URL(request.url ?? "/", "http://page").pathname);
    if (file === undefined) response.writeHead(404).end();
    else response.writeHead(200, { "content-type": `${file[0]}; charset=utf-8` }).end(file[1]);
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

if (import.meta.main) {
  const { origin } = await servePage(Number(process.env["PORT"] ?? 5173));
  console.log(`the page is on ${origin}; start the engine with --allow-origin ${origin}`);
}

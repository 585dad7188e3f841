import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeTempDir } from "./engine-process.ts";

/** A certificate and its key, as files and as PEM. */
export interface TestCertificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

export interface CertificateOptions {
  /** Names and addresses that it is good for, as OpenSSL writes them. */
  readonly names?: string;
  /** Who signs it; absent = itself. */
  readonly ca?: TestCertificate;
}

/** Makes a certificate with OpenSSL, good for ten days; everything is removed when this process ends. */
export function makeCertificate({
  names = "DNS:localhost,IP:127.0.0.1,IP:::1",
  ca,
}: CertificateOptions = {}): TestCertificate {
  const folder = makeTempDir("certificate");
  const [certFile, keyFile, request, extensions] = ["cert.pem", "key.pem", "request.pem", "extensions"].map((name) =>
    join(folder, name),
  ) as [string, string, string, string];
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", keyFile];
  const subject = ["-subj", "/CN=parley test"];
  const name = `subjectAltName=${names}`;
  if (ca === undefined) {
    openssl("req", "-x509", ...key, "-days", "10", ...subject, "-addext", name, "-out", certFile);
  } else {
    writeFileSync(extensions, `${name}\n`);
    openssl("req", ...key, ...subject, "-out", request);
    const signer = ["-CA", ca.certFile, "-CAkey", ca.keyFile, "-CAcreateserial"];
    openssl("x509", "-req", "-in", request, ...signer, "-days", "10", "-extfile", extensions, "-out", certFile);
  }
  return { certFile, keyFile, cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") };
}

function openssl(...args: string[]): void {
  execFileSync("openssl", args, { stdio: "pipe" });
}

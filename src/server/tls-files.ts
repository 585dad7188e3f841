import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { DomainError } from "../errors.ts";
import type { TlsFiles } from "../listen.ts";

/** What a port shows of itself. */
export interface Credentials {
  /** The certificate and those that lead to its CA, as PEM. */
  readonly cert: string;
  /** The private key, as PEM. */
  readonly key: string;
  /** The engine's own certificate alone, as PEM: what a client on this machine may hold it to. */
  readonly certificate: string;
}

/**
 * Reads the files and sees that a client could do with them.
 * @throws DomainError invalid `TLS_INVALID` that names the file and what to do.
 */
export function readCredentials({ certFile, keyFile }: TlsFiles, nowMs: number): Credentials {
  const cert = readPem(certFile, "--tls-cert");
  const key = readPem(keyFile, "--tls-key");
  const certificate = parseCertificate(certFile, cert);
  if (!certificate.checkPrivateKey(parseKey(keyFile, key))) {
    throw invalid(
      `the key ${keyFile} is not the one of the certificate ${certFile}; name the two that belong together`,
    );
  }
  const { validToDate, validFromDate } = certificate;
  if (validToDate.getTime() < nowMs) {
    throw invalid(`the certificate ${certFile} expired on ${dayOf(validToDate)}; put a new one in its place`);
  }
  if (validFromDate.getTime() > nowMs) {
    throw invalid(`the certificate ${certFile} is valid from ${dayOf(validFromDate)} on; look at this machine's clock`);
  }
  return { cert, key, certificate: certificate.toString() };
}

function readPem(file: string, flag: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const { code = "unknown" } = error as NodeJS.ErrnoException;
    throw invalid(`${file} cannot be read (${code}); name a PEM file that this user may read with ${flag}`, error);
  }
}

function parseCertificate(file: string, pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw invalid(`${file} holds no certificate as PEM (-----BEGIN CERTIFICATE-----)`, error);
  }
}

function parseKey(file: string, pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_MISSING_PASSPHRASE") {
      throw invalid(`the key ${file} wants a passphrase; name one without, that only this user may read`, error);
    }
    throw invalid(`${file} holds no private key as PEM (-----BEGIN PRIVATE KEY-----)`, error);
  }
}

function dayOf(date: Date): string {
  return date.toISOString().slice(0, 10);
}

function invalid(message: string, cause?: unknown): DomainError {
  return new DomainError("invalid", "TLS_INVALID", message, {}, { cause });
}

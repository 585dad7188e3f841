import { getOption, type DescMethod } from "@bufbuild/protobuf";
import { Access_Scope, access } from "../../../gen/ts/parley/v1/access_pb.ts";
import type { AuthFailure } from "../../audit/auth-failures.ts";
import { DomainError, invalidField } from "../../errors.ts";
import type { Principal, Scope } from "../../token/token.ts";
import type { FindPrincipal } from "./principal.ts";

/** What a method asks of its caller: nothing, or a scope. */
export type Requirement = "open" | Scope;

const RANK: Readonly<Record<Scope, number>> = { read: 1, operate: 2, admin: 3 };

// The standard services carry no option of ours. Load balancers ask for health without a token.
const STANDARD: Readonly<Record<string, Requirement>> = {
  "grpc.health.v1.Health": "open",
  "grpc.reflection.v1.ServerReflection": "read",
  "grpc.reflection.v1alpha.ServerReflection": "read",
};

const requirements = new WeakMap<DescMethod, { readonly value: Requirement | undefined }>();

/** What a method asks of its caller; undefined where its proto does not say. */
export function requirementOf(method: DescMethod): Requirement | undefined {
  let known = requirements.get(method);
  if (known === undefined) {
    known = { value: STANDARD[method.parent.typeName] ?? scopeOf(method) };
    requirements.set(method, known);
  }
  return known.value;
}

// A number that is not here, from a newer proto or not set at all, is no permission.
const SCOPES: ReadonlyMap<Access_Scope, Scope> = new Map([
  [Access_Scope.READ, "read"],
  [Access_Scope.OPERATE, "operate"],
  [Access_Scope.ADMIN, "admin"],
]);

function scopeOf(method: DescMethod): Scope | undefined {
  return SCOPES.get(getOption(method, access).scope);
}

/** Throws DomainError `INVALID_FIELD` where it is not one. */
export function scopeFromProto(scope: Access_Scope): Scope {
  const known = SCOPES.get(scope);
  if (known === undefined) throw invalidField("scope", "must be read, operate or admin");
  return known;
}

/**
 * Reads an `Authorization` header.
 * @throws DomainError unauthenticated: `TOKEN_MISSING`, `TOKEN_INVALID`.
 */
function authenticate(authorization: string | null | undefined, findPrincipal: FindPrincipal): Principal {
  const token = /^bearer +(\S+) *$/i.exec(authorization ?? "")?.[1];
  if (token === undefined) {
    throw new DomainError(
      "unauthenticated",
      "TOKEN_MISSING",
      "this call needs a token: send the header `authorization: Bearer TOKEN`; see the file `token` in the engine's data directory",
    );
  }
  const principal = findPrincipal(token);
  if (principal === undefined) {
    throw new DomainError(
      "unauthenticated",
      "TOKEN_INVALID",
      "the token of this call is not one of this engine's, or not any more; see the file `token` in the engine's data directory",
    );
  }
  return principal;
}

/** @throws DomainError denied: `SCOPE_INSUFFICIENT`. */
function authorize(principal: Principal, required: Scope): void {
  if (RANK[principal.scope] >= RANK[required]) return;
  throw new DomainError(
    "denied",
    "SCOPE_INSUFFICIENT",
    `this call needs a token of scope ${required}; the one that was sent has scope ${principal.scope}`,
    { required, scope: principal.scope, token: principal.name },
  );
}

/** What is to be written down of an error; undefined where nobody was kept out. */
export function authFailureOf(
  error: unknown,
  place: { readonly method: string; readonly source: string },
): AuthFailure | undefined {
  if (!(error instanceof DomainError) || !["unauthenticated", "denied"].includes(error.code)) return undefined;
  return { ...place, reason: error.reason, actor: error.metadata["token"] ?? "" };
}

/**
 * Decides who may send a plain HTTP request, which no interceptor sees.
 * @throws DomainError as `authenticate` and `authorize`.
 */
export function admitAs(required: Scope, authorization: string | undefined, findPrincipal: FindPrincipal): Principal {
  const principal = authenticate(authorization, findPrincipal);
  authorize(principal, required);
  return principal;
}

/**
 * Decides who may call a method.
 * @throws DomainError as `authenticate` and `authorize`; denied (`ACCESS_UNDEFINED`) where the method has no rule.
 */
export function admit(
  method: DescMethod,
  authorization: string | null,
  findPrincipal: FindPrincipal,
): Principal | undefined {
  const required = requirementOf(method);
  if (required === undefined)
    throw new DomainError(
      "denied",
      "ACCESS_UNDEFINED",
      `method ${method.name} has no access rule, so nobody may call it`,
    );
  if (required === "open") return undefined;
  const principal = authenticate(authorization, findPrincipal);
  authorize(principal, required);
  return principal;
}

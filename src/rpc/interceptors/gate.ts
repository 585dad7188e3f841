import {
  Code,
  ConnectError,
  createContextKey,
  type ConnectRouterOptions,
  type ContextKey,
  type Interceptor,
} from "@connectrpc/connect";
import type { AuthFailure } from "../../audit/auth-failures.ts";
import type { Clock } from "../../clock.ts";
import { admit, authFailureOf } from "./access.ts";
import { addFrameworkReason, translateError, type ErrorDeps } from "./errors.ts";
import { peerKey, principalKey, type FindPrincipal } from "./principal.ts";

export interface GateDeps extends ErrorDeps {
  readonly findPrincipal: FindPrincipal;
  readonly clock: Clock;
  /** Told of everybody who is kept out. */
  readonly onAuthFailure?: ((failure: AuthFailure) => void) | undefined;
}

type Gate = NonNullable<ConnectRouterOptions["requestGate"]>;

const admittedKey: ContextKey<boolean> = createContextKey(false, { description: "whether the caller may call" });

/**
 * Runs when the headers are there and before the body is read, so that nobody without a token makes the engine read,
 * decompress or parse anything. It also sees the end of every call, which interceptors do not: a body that cannot be
 * decoded fails before them. Connect aborts the call's signal with the error, and only then writes it.
 */
export function createGate(deps: GateDeps): Gate {
  return (context) => {
    const { signal, method } = context;
    const startMs = deps.clock.monotonic();
    const onEnd = (): void => {
      const reason: unknown = signal.reason;
      const error = reason instanceof ConnectError ? reason : undefined;
      if (error !== undefined) addFrameworkReason(error);
      deps.logger.debug(
        {
          service: method.parent.typeName,
          method: method.name,
          protocol: context.protocolName,
          principal: context.values.get(principalKey)?.name,
          code: error === undefined ? "ok" : Code[error.code],
          duration_ms: Math.round((deps.clock.monotonic() - startMs) * 1000) / 1000,
        },
        "rpc",
      );
    };
    if (signal.aborted) onEnd();
    else signal.addEventListener("abort", onEnd, { once: true });

    try {
      context.values.set(principalKey, admit(method, context.requestHeader.get("authorization"), deps.findPrincipal));
      context.values.set(admittedKey, true);
    } catch (error) {
      const place = { method: `${method.parent.typeName}/${method.name}`, source: context.values.get(peerKey) };
      const failure = authFailureOf(error, place);
      if (failure !== undefined) deps.onAuthFailure?.(failure);
      throw translateError(error, signal, method.name, deps);
    }
  };
}

/** Asks again where a router was built without the gate: forgetting it must not open the engine. */
export function createAccessInterceptor(deps: Pick<GateDeps, "findPrincipal">): Interceptor {
  return (next) => (request) => {
    if (!request.contextValues.get(admittedKey)) {
      const principal = admit(request.method, request.header.get("authorization"), deps.findPrincipal);
      request.contextValues.set(principalKey, principal).set(admittedKey, true);
    }
    return next(request);
  };
}

import type { DescService } from "@bufbuild/protobuf";
import type { ConnectRouterOptions, Interceptor } from "@connectrpc/connect";
import type { AuthFailure } from "../../audit/auth-failures.ts";
import { systemClock, type Clock } from "../../clock.ts";
import { createErrorInterceptor } from "./errors.ts";
import { createAccessInterceptor, createGate } from "./gate.ts";
import type { Logger } from "./log.ts";
import type { FindPrincipal } from "./principal.ts";
import { createRevocationInterceptor } from "./revocation.ts";
import { createValidation } from "./validate.ts";

export interface InterceptorDeps {
  /** Whose token this is; undefined where it is nobody's. See `createTokenFinder`. */
  readonly findPrincipal: FindPrincipal;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly newErrorId?: () => string;
  /** Told of everybody who is kept out. */
  readonly onAuthFailure?: ((failure: AuthFailure) => void) | undefined;
}

/** What every call passes through. Spread it into a router's options: both halves belong together. */
export interface Interceptors {
  readonly requestGate: NonNullable<ConnectRouterOptions["requestGate"]>;
  readonly interceptors: Interceptor[];
  /** Compiles the validation rules of these services; to be called once the engine serves. */
  warm(services: readonly DescService[]): Promise<void>;
}

/**
 * The order, from the wire to the method:
 *
 * 1. the gate, before the body is read: token, then scope; and, when the call ends, a reason on the framework's own errors
 *    and one debug line
 * 2. the body is read, decompressed, decoded (Connect)
 * 3. errors: what anything below throws becomes a code and a reason
 * 4. access: only where there was no gate
 * 5. revocation: a call ends with its token
 * 6. validate: the rules in the proto
 * 7. the method
 */
export function createInterceptors(deps: InterceptorDeps): Interceptors {
  const all = { ...deps, clock: deps.clock ?? systemClock };
  const validation = createValidation();
  return {
    requestGate: createGate(all),
    interceptors: [
      createErrorInterceptor(all),
      createAccessInterceptor(all),
      createRevocationInterceptor(),
      validation.interceptor,
    ],
    warm: (services) => validation.warm(services),
  };
}

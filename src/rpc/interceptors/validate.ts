import { create, type DescMessage, type DescService, type MessageShape } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import type { ValidationResult, Validator, Violation } from "@bufbuild/protovalidate";
import type { Interceptor } from "@connectrpc/connect";
import { othersFirst } from "../../clock.ts";
import { DomainError } from "../../errors.ts";
import { toConnectError } from "./errors.ts";
import { fieldWords } from "./field-words.ts";

export interface Validation {
  readonly interceptor: Interceptor;
  /** Loads the validator and compiles the rules of these services' requests, which the first call would else wait for. */
  warm(services: readonly DescService[]): Promise<void>;
}

/** Holds every request message to the rules in its proto. The validator is loaded with the first call, not at start. */
export function createValidation(): Validation {
  let validator: Validator | undefined;
  const load = async (): Promise<Validator> => {
    const { createValidator } = await import("@bufbuild/protovalidate");
    return (validator ??= createValidator());
  };

  return {
    interceptor: (next) => async (request) => {
      const ready = validator ?? (await load());
      if (request.stream) return next({ ...request, message: checked(ready, request.method.input, request.message) });
      check(ready, request.method.input, request.message);
      return next(request);
    },
    async warm(services) {
      // To load it takes several milliseconds, too: who waits for the engine to start is told first.
      await othersFirst();
      const ready = await load();
      for (const service of services) {
        for (const method of service.methods) {
          ready.validate(method.input, create(method.input));
          // One message's rules take up to a few milliseconds: calls that have come meanwhile go first.
          await othersFirst();
        }
      }
    },
  };
}

function check<Desc extends DescMessage>(validator: Validator, schema: Desc, message: MessageShape<Desc>): void {
  const result: ValidationResult = validator.validate(schema, message);
  switch (result.kind) {
    case "valid":
      return;
    case "invalid":
      throw refusal(result.violations);
    case "error":
      // The rule is wrong, not the message: a bug of ours.
      throw result.error;
  }
}

function refusal(violations: readonly Violation[]): Error {
  const fields = violations.map((violation) => ({
    field: pathToString(violation.field),
    description: fieldWords(violation),
  }));
  const text = fields
    .map(({ field, description }) => (field === "" ? description : `${field}: ${description}`))
    .join("; ");
  return toConnectError(new DomainError("invalid", "INVALID_FIELD", text, { field: fields[0]?.field ?? "" }), fields);
}

function checked<Desc extends DescMessage>(
  validator: Validator,
  schema: Desc,
  messages: AsyncIterable<MessageShape<Desc>>,
): AsyncIterable<MessageShape<Desc>> {
  return {
    async *[Symbol.asyncIterator]() {
      for await (const message of messages) {
        check(validator, schema, message);
        yield message;
      }
    },
  };
}

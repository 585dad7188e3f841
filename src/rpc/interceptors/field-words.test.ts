import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import { expect, test } from "vitest";
import { CreateTokenRequestSchema } from "../../../gen/ts/parley/v1/engine_service_pb.ts";
import { ReplaceRulesRequestSchema } from "../../../gen/ts/parley/v1/permission_service_pb.ts";
import {
  AppendMessageRequestSchema,
  CreateSessionRequestSchema,
} from "../../../gen/ts/parley/v1/session_service_pb.ts";
import { fieldWords } from "./field-words.ts";

const validator = createValidator();

function wordsOf<Desc extends DescMessage>(schema: Desc, request: MessageInitShape<Desc>): (string | undefined)[] {
  const result = validator.validate(schema, create(schema, request));
  return result.kind === "invalid" ? result.violations.map(fieldWords) : [result.kind];
}

test("an enum is told by the names that are allowed, whichever way its rule is written", () => {
  expect(wordsOf(CreateTokenRequestSchema, { name: "ci" })).toEqual([
    "must be one of SCOPE_READ, SCOPE_OPERATE, SCOPE_ADMIN",
  ]);
  expect(wordsOf(ReplaceRulesRequestSchema, {})[0]).toMatch(/^must be one of \w+_SESSION, \w+_WORKSPACE, \w+_GLOBAL$/);
  const ofNewerClient = Object.assign(create(CreateSessionRequestSchema), { approvalMode: 99 });
  expect(wordsOf(CreateSessionRequestSchema, ofNewerClient)[0]).toMatch(
    /^must be one of APPROVAL_MODE_CONFIRM_ALL, .*APPROVAL_MODE_RESTRICTED$/,
  );
});

test("what is missing is empty, and what is too long is told as it is", () => {
  expect(wordsOf(AppendMessageRequestSchema, { sessionId: "", role: 1 })).toEqual([
    "must not be empty",
    "must not be empty",
  ]);
  expect(wordsOf(CreateSessionRequestSchema, { title: "x".repeat(501) })).toEqual(["must be at most 500 characters"]);
});

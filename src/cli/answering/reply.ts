import type { JsonObject, MessageInitShape } from "@bufbuild/protobuf";
import type {
  AnswerSchema,
  CheckDecision,
  PermissionDecision,
  PermissionScope,
  Risk,
  RuleDraftSchema,
} from "../../client/client.ts";

/** What a human answers. */
export type Reply =
  | {
      readonly kind: "permission";
      readonly decision: PermissionDecision;
      readonly scope?: PermissionScope;
      readonly rule?: MessageInitShape<typeof RuleDraftSchema>;
      /** What is to run instead of what was asked for. */
      readonly args?: JsonObject;
      readonly reason?: string;
    }
  | { readonly kind: "answer"; readonly answer: MessageInitShape<typeof AnswerSchema> };

/** What the engine says of a call. */
export interface Judgement {
  readonly risk: Risk;
  readonly reason: string;
  /** Absent = a human is asked. */
  readonly decision?: CheckDecision;
}

/** What a dialog can do beside drawing itself. */
export interface DialogHost {
  /** Sends it; the dialog stays until the request has ended. */
  reply(reply: Reply): void;
  /** Writes lines where they can be scrolled to. */
  show(lines: readonly string[]): void;
  /** Has a text changed in the human's own editor. Resolves to the text as it was left; undefined where there is no editor. */
  edit(text: string, fileName: string): Promise<string> | undefined;
  /** Has the request's call judged with other arguments. Rejects with what is to be told. */
  judge(args: JsonObject): Promise<Judgement>;
  /** Says what is wrong, until the next key. */
  complain(text: string): void;
  refresh(): void;
}

import type { Part } from "../../client/client.ts";
import { formatBytes } from "./format.ts";
import type { Output } from "../output.ts";

/** The pictures and files of a message, a line each. */
export function attachmentLines({ style, foreignLine }: Output, parts: readonly Part[]): string[] {
  return parts.flatMap(({ content }) => {
    if (content.case !== "image" && content.case !== "file") return [];
    const { mediaType, sizeBytes } = content.value;
    const name = content.case === "file" ? content.value.name : "a picture";
    return [style.dim(foreignLine(`+ ${name} (${mediaType}, ${formatBytes(sizeBytes)})`))];
  });
}

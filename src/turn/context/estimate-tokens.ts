import type { ModelMessage, ModelPart, ModelTool } from "../../model/model.ts";

/** English prose and code come to about four bytes a token; what each model really counts only its provider knows. */
const BYTES_PER_TOKEN = 4;
/** Providers count a picture by its size in pixels: some hundred to some thousand. */
const TOKENS_PER_IMAGE = 1000;

/** About how many tokens a text is: good for seeing what is large, not for a bill. */
export function estimateTokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN);
}

/** What a model is told of a tool. */
export function estimateTool({ name, description, parameters }: ModelTool): number {
  return estimateTokens(name + description + JSON.stringify(parameters));
}

export function estimateMessage({ parts }: ModelMessage): number {
  return parts.reduce((sum, part) => sum + estimatePart(part), 0);
}

function estimatePart(part: ModelPart): number {
  switch (part.kind) {
    case "text":
      return estimateTokens(part.text);
    // Not sent again.
    case "reasoning":
      return 0;
    case "image":
      return TOKENS_PER_IMAGE;
    case "tool_call":
      return estimateTokens(part.name + JSON.stringify(part.arguments));
    case "tool_result":
      return estimateTokens(part.text) + TOKENS_PER_IMAGE * (part.images?.length ?? 0);
  }
}

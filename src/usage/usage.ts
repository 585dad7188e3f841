/** What model calls consumed, in tokens as the provider counted them. */
export interface Usage {
  /** Tokens sent, cached ones included. */
  readonly inputTokens: number;
  /** Tokens produced, reasoning included. */
  readonly outputTokens: number;
  readonly reasoningTokens: number;
  readonly cachedInputTokens: number;
  /** How many model calls these numbers add up. */
  readonly modelCalls: number;
}

export const NO_USAGE: Usage = {
  inputTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
  cachedInputTokens: 0,
  modelCalls: 0,
};

export function addUsage(a: Usage, b: Usage): Usage {
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    reasoningTokens: a.reasoningTokens + b.reasoningTokens,
    cachedInputTokens: a.cachedInputTokens + b.cachedInputTokens,
    modelCalls: a.modelCalls + b.modelCalls,
  };
}

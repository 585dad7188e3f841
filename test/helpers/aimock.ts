import { LLMock, type MockServerOptions } from "@copilotkit/aimock";

/** An upstream that nobody here wrote, listening. */
export interface Aimock {
  readonly mock: LLMock;
  /** What a profile's base URL is. */
  readonly baseUrl: string;
  stop(): Promise<void>;
}

export async function startAimock(options: MockServerOptions = {}): Promise<Aimock> {
  const mock = new LLMock({ port: 0, host: "127.0.0.1", ...options });
  await mock.start();
  return { mock, baseUrl: `${mock.url}/v1`, stop: () => mock.stop() };
}

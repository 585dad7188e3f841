import type { DescFile, DescService } from "@bufbuild/protobuf";
import { Code, type ConnectRouter, type ServiceImpl } from "@connectrpc/connect";
import { file_google_rpc_error_details } from "../../gen/ts/google/rpc/error_details_pb.ts";
import { ServerReflection, type ServerReflectionRequest } from "../../gen/ts/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionAlpha } from "../../gen/ts/grpc/reflection/v1alpha/reflection_pb.ts";
import { createReflectionIndex, encodeFile, withImports, type ReflectionIndex } from "./reflection-index.ts";

/**
 * Server reflection, v1 and v1alpha: what lets a caller without our protos see and call these services. Files come with all they
 * import, each once a stream. What is not found is an answer and not the end of the stream, as the protocol wants it.
 */
export function reflectionRoutes(services: readonly DescService[]): (router: ConnectRouter) => void {
  const served = [...services, ServerReflection, ServerReflectionAlpha];
  let index: ReflectionIndex | undefined;

  async function* reflect(requests: AsyncIterable<ServerReflectionRequest>) {
    const sent = new Set<DescFile>();
    for await (const request of requests) {
      // Built with the first question: a start has no time for it.
      index ??= createReflectionIndex(served, [file_google_rpc_error_details]);
      yield {
        validHost: request.host,
        originalRequest: { host: request.host, messageRequest: request.messageRequest },
        messageResponse: respond(request, served, index, sent),
      };
    }
  }

  return (router) => {
    router.service(ServerReflection, { serverReflectionInfo: reflect });
    // The two versions differ in their names only; what goes in and out has the same fields and numbers.
    type Alpha = ServiceImpl<typeof ServerReflectionAlpha>["serverReflectionInfo"];
    router.service(ServerReflectionAlpha, { serverReflectionInfo: reflect as unknown as Alpha });
  };
}

function respond(
  { messageRequest: asked }: ServerReflectionRequest,
  served: readonly DescService[],
  index: ReflectionIndex,
  sent: Set<DescFile>,
) {
  switch (asked.case) {
    case "listServices":
      return {
        case: "listServicesResponse" as const,
        value: { service: served.map(({ typeName }) => ({ name: typeName })) },
      };
    case "fileByFilename":
      return fileAnswer(index.fileByName(asked.value), `file "${asked.value}"`, sent);
    case "fileContainingSymbol":
      return fileAnswer(index.fileBySymbol(asked.value), `symbol "${asked.value}"`, sent);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = asked.value;
      const file = index.fileByExtension(containingType, extensionNumber);
      return fileAnswer(file, `extension ${extensionNumber} of "${containingType}"`, sent);
    }
    case "allExtensionNumbersOfType": {
      const numbers = index.extensionNumbers(asked.value);
      if (numbers === undefined) return notFound(`message "${asked.value}"`);
      const value = { baseTypeName: asked.value, extensionNumber: [...numbers] };
      return { case: "allExtensionNumbersResponse" as const, value };
    }
    case undefined:
      return failure(Code.InvalidArgument, "message_request: one of its fields must be set");
  }
}

function fileAnswer(file: DescFile | undefined, what: string, sent: Set<DescFile>) {
  if (file === undefined) return notFound(what);
  // The one asked for is always there, and first; its imports only where this stream has not had them.
  const imports = withImports([file]).filter((other) => other !== file && !sent.has(other));
  for (const one of [file, ...imports]) sent.add(one);
  const fileDescriptorProto = [file, ...imports].map(encodeFile);
  return { case: "fileDescriptorResponse" as const, value: { fileDescriptorProto } };
}

function notFound(what: string) {
  return failure(Code.NotFound, `${what} is not known here`);
}

function failure(errorCode: Code, errorMessage: string) {
  return { case: "errorResponse" as const, value: { errorCode, errorMessage } };
}

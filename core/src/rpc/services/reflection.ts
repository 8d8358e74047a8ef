import { type DescFile, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { ServerReflection as ServerReflectionV1 } from "@microts/proto/grpc/reflection/v1";
import { ServerReflection as ServerReflectionV1Alpha } from "@microts/proto/grpc/reflection/v1alpha";
import { GrpcStatus } from "../../errors.ts";
import { type Method, methodsOf } from "../method.ts";
import type { ReflectedFiles } from "./reflected-files.ts";

/** What both versions ask, and what they answer: their messages differ in the package alone. */
type Question =
  | { readonly case: "fileByFilename" | "fileContainingSymbol" | "allExtensionNumbersOfType"; readonly value: string }
  | { readonly case: "listServices"; readonly value: string }
  | {
      readonly case: "fileContainingExtension";
      readonly value: { readonly containingType: string; readonly extensionNumber: number };
    }
  | { readonly case: undefined; readonly value?: undefined };

/** The rpcs of `grpc.reflection.v1.ServerReflection`, which tell what a server's services look like (gRPC server-reflection.md). */
export function reflectionV1Methods(files: () => ReflectedFiles): Method[] {
  return methodsOf(ServerReflectionV1, { serverReflectionInfo: (requests) => answerAll(files(), requests) });
}

/** The same for the protocol's older version, which many clients still ask for. */
export function reflectionV1AlphaMethods(files: () => ReflectedFiles): Method[] {
  return methodsOf(ServerReflectionV1Alpha, { serverReflectionInfo: (requests) => answerAll(files(), requests) });
}

async function* answerAll<Request extends { readonly host: string; readonly messageRequest: Question }>(
  files: ReflectedFiles,
  requests: AsyncIterable<Request>,
) {
  const answers = new Answers(files);
  for await (const request of requests) {
    const messageResponse = answers.to(request.messageRequest);
    yield { validHost: request.host, originalRequest: request, messageResponse };
  }
}

/** One conversation: a file that the caller has got is not sent again with those that stand on it. */
class Answers {
  readonly #files: ReflectedFiles;
  readonly #sent = new Set<DescFile>();

  constructor(files: ReflectedFiles) {
    this.#files = files;
  }

  to(question: Question) {
    switch (question.case) {
      case "listServices":
        return {
          case: "listServicesResponse" as const,
          value: { service: this.#files.services.map((name) => ({ name })) },
        };
      case "fileByFilename":
        return this.#answer(this.#files.file(question.value), `no file "${question.value}"`);
      case "fileContainingSymbol":
        return this.#answer(this.#files.declaring(question.value), `nothing with the name "${question.value}"`);
      case "fileContainingExtension": {
        const { containingType, extensionNumber } = question.value;
        return this.#answer(
          this.#files.extending(containingType, extensionNumber),
          `no extension ${extensionNumber} of "${containingType}"`,
        );
      }
      case "allExtensionNumbersOfType": {
        const numbers = this.#files.extensionNumbers(question.value);
        if (numbers === undefined) return failure(GrpcStatus.notFound, `nothing with the name "${question.value}"`);
        return {
          case: "allExtensionNumbersResponse" as const,
          value: { baseTypeName: question.value, extensionNumber: [...numbers] },
        };
      }
      default:
        return failure(GrpcStatus.invalidArgument, "the request asks for nothing: set one field of message_request");
    }
  }

  #answer(file: DescFile | undefined, absent: string) {
    if (file === undefined) return failure(GrpcStatus.notFound, absent);
    this.#sent.delete(file);
    const fileDescriptorProto = this.#unsent(file).map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
    return { case: "fileDescriptorResponse" as const, value: { fileDescriptorProto } };
  }

  /** The file itself, and what it stands on as far as the caller doesn't have it. */
  #unsent(file: DescFile): DescFile[] {
    if (this.#sent.has(file)) return [];
    this.#sent.add(file);
    return [file, ...file.dependencies.flatMap((dependency) => this.#unsent(dependency))];
  }
}

function failure(errorCode: number, message: string) {
  const errorMessage = errorCode === GrpcStatus.notFound ? `this server has ${message}` : message;
  return { case: "errorResponse" as const, value: { errorCode, errorMessage } };
}

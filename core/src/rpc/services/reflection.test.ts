// gRPC's own implementation for Node.js asking our server what it looks like.
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import { create, createFileRegistry, type DescService, fromBinary } from "@bufbuild/protobuf";
import {
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import * as v1 from "@microts/proto/grpc/reflection/v1";
import * as v1alpha from "@microts/proto/grpc/reflection/v1alpha";
import { Dep } from "../../../../proto/gen/test/dep/dep_pb.ts";
import { depHandlers } from "../../../../testing/src/dep.ts";
import {
  partsOf,
  reflectedService,
  type ServedStandard,
  serveStandard,
  unaryCall,
} from "../../../../testing/src/standard-services.ts";
import { methodsOf } from "../method.ts";
import { Health } from "./index.ts";

/** A service whose file extends a message of another file, as only proto2 and editions can. */
const extended = create(FileDescriptorSetSchema, {
  file: [
    {
      name: "ext/base.proto",
      package: "ext",
      messageType: [
        {
          name: "Base",
          extensionRange: [{ start: 100, end: 200 }],
          field: [{ name: "id", number: 1, type: Type.STRING, label: Label.OPTIONAL, oneofIndex: 0 }],
          oneofDecl: [{ name: "key" }],
          enumType: [{ name: "Colour", value: [{ name: "RED", number: 0 }] }],
        },
      ],
    },
    {
      name: "ext/ext.proto",
      package: "ext",
      dependency: ["ext/base.proto"],
      extension: [
        { name: "later", number: 150, extendee: ".ext.Base", type: Type.STRING, label: Label.OPTIONAL },
        { name: "sooner", number: 101, extendee: ".ext.Base", type: Type.STRING, label: Label.OPTIONAL },
      ],
      service: [{ name: "Ext", method: [{ name: "Call", inputType: ".ext.Base", outputType: ".ext.Base" }] }],
    },
  ],
});
const extService = createFileRegistry(extended).getService("ext.Ext") as DescService;

for (const [version, { ServerReflection }] of Object.entries({ v1, v1alpha })) {
  describe(`grpc.reflection.${version}.ServerReflection`, () => {
    let served: ServedStandard;
    before(async () => {
      served = await serveStandard(
        { health: new Health(), services: () => [Dep, extService] },
        methodsOf(Dep, depHandlers),
      );
    });
    after(async () => {
      await served[Symbol.asyncDispose]();
    });

    type Request = v1.ServerReflectionRequest["messageRequest"];
    const parts = partsOf((ServerReflection as typeof v1.ServerReflection).method.serverReflectionInfo);
    /** The answers to questions of one conversation. */
    const ask = async (...questions: Request[]) => {
      const talk = served.client.makeBidiStreamRequest(...parts);
      const answers: v1.ServerReflectionResponse[] = [];
      for (const messageRequest of questions) {
        talk.write({ host: "here", messageRequest });
        const [answer] = await once(talk, "data");
        answers.push(answer);
      }
      talk.end();
      await once(talk, "status");
      return answers;
    };
    const files = ({ messageResponse }: v1.ServerReflectionResponse = create(v1.ServerReflectionResponseSchema)) => {
      ok(messageResponse.case === "fileDescriptorResponse", JSON.stringify(messageResponse));
      return messageResponse.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
    };
    const names = (answer: v1.ServerReflectionResponse | undefined) => files(answer).map(({ name }) => name);
    const symbol = (value: string): Request => ({ case: "fileContainingSymbol", value });

    it("lists the services, the standard ones among them", async () => {
      const [answer] = await ask({ case: "listServices", value: "*" });
      ok(answer?.messageResponse.case === "listServicesResponse");
      deepEqual(
        answer.messageResponse.value.service.map(({ name }) => name),
        [
          "ext.Ext",
          "grpc.health.v1.Health",
          "grpc.reflection.v1.ServerReflection",
          "grpc.reflection.v1alpha.ServerReflection",
          "service.dep.Dep",
        ],
      );
    });

    it("says back whom and what was asked", async () => {
      const [answer] = await ask(symbol("service.dep.Dep"));
      equal(answer?.validHost, "here");
      deepEqual(answer?.originalRequest?.messageRequest, symbol("service.dep.Dep"));
    });

    it("gives a service's file with which the service can be called", async () => {
      const { call } = ((await reflectedService(served.client, "service.dep.Dep")) as typeof Dep).method;
      const { msg } = await unaryCall(served.client, call, { name: "you" });
      equal(msg, "Hello you");
    });

    it("finds what is declared in a file by its full name", async () => {
      const base = ["ext.Base", "ext.Base.id", "ext.Base.key", "ext.Base.Colour", "ext.Base.RED"];
      const own = ["ext.Ext", "ext.Ext.Call", "ext.later"];
      for (const name of base) deepEqual(names((await ask(symbol(name)))[0]), ["ext/base.proto"], name);
      for (const name of own) deepEqual(names((await ask(symbol(name)))[0]), ["ext/ext.proto", "ext/base.proto"], name);
    });

    it("finds a file by its name, and sends what it stands on once in a conversation", async () => {
      const byName: Request = { case: "fileByFilename", value: "ext/ext.proto" };
      const answers = await ask(byName, byName, { case: "fileByFilename", value: "ext/base.proto" });
      deepEqual(answers.map(names), [["ext/ext.proto", "ext/base.proto"], ["ext/ext.proto"], ["ext/base.proto"]]);
    });

    it("finds extensions by number, and lists the numbers", async () => {
      const value = (extensionNumber: number) =>
        create(v1.ExtensionRequestSchema, { containingType: "ext.Base", extensionNumber });
      const [found, none, numbers, empty] = await ask(
        { case: "fileContainingExtension", value: value(150) },
        { case: "fileContainingExtension", value: value(151) },
        { case: "allExtensionNumbersOfType", value: "ext.Base" },
        { case: "allExtensionNumbersOfType", value: "service.dep.Request" },
      );
      deepEqual(names(found), ["ext/ext.proto", "ext/base.proto"]);
      equal(errorOf(none).errorCode, grpc.status.NOT_FOUND);
      ok(numbers?.messageResponse.case === "allExtensionNumbersResponse");
      deepEqual(numbers.messageResponse.value.extensionNumber, [101, 150]);
      equal(numbers.messageResponse.value.baseTypeName, "ext.Base");
      ok(empty?.messageResponse.case === "allExtensionNumbersResponse");
      deepEqual(empty.messageResponse.value.extensionNumber, []);
    });

    it("answers what it doesn't know with an error, and goes on", async () => {
      const [noSymbol, noFile, noType, nothing, list] = await ask(
        symbol("service.dep.Nope"),
        { case: "fileByFilename", value: "nope.proto" },
        { case: "allExtensionNumbersOfType", value: "service.dep.Nope" },
        { case: undefined },
        { case: "listServices", value: "" },
      );
      for (const answer of [noSymbol, noFile, noType]) equal(errorOf(answer).errorCode, grpc.status.NOT_FOUND);
      match(errorOf(noSymbol).errorMessage, /"service\.dep\.Nope"/);
      equal(errorOf(nothing).errorCode, grpc.status.INVALID_ARGUMENT);
      equal(list?.messageResponse.case, "listServicesResponse");
    });
  });
}

function errorOf(answer: v1.ServerReflectionResponse | undefined): v1.ErrorResponse {
  ok(answer?.messageResponse.case === "errorResponse");
  return answer.messageResponse.value;
}

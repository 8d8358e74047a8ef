import type { DescService } from "@bufbuild/protobuf";
import { Health as HealthService } from "@microts/proto/grpc/health/v1";
import { ServerReflection as ReflectionV1 } from "@microts/proto/grpc/reflection/v1";
import { ServerReflection as ReflectionV1Alpha } from "@microts/proto/grpc/reflection/v1alpha";
import type { Method } from "../method.ts";
import { type Health, healthMethods } from "./health.ts";
import { ReflectedFiles } from "./reflected-files.ts";
import { reflectionV1AlphaMethods, reflectionV1Methods } from "./reflection.ts";

export interface StandardServices {
  readonly health: Health;
  /** What reflection shows beside the standard services themselves. Called once, when somebody asks for the first time. */
  services(): Iterable<DescService>;
}

/**
 * Health checking and server reflection for any server: methods by the service of a call's path (`grpc.health.v1`), then by endpoint
 * (`Health.Check`). Ask for them before a service's own: the names of gRPC's packages are nobody else's.
 */
export function standardServices(options: StandardServices): ReadonlyMap<string, ReadonlyMap<string, Method>> {
  const { health } = options;
  let files: ReflectedFiles | undefined;
  const shown = () => {
    files ??= new ReflectedFiles([...options.services(), HealthService, ReflectionV1, ReflectionV1Alpha]);
    return files;
  };
  return new Map([
    table(HealthService, healthMethods(health)),
    table(ReflectionV1, reflectionV1Methods(shown)),
    table(ReflectionV1Alpha, reflectionV1AlphaMethods(shown)),
  ]);
}

function table({ file }: DescService, methods: readonly Method[]): [string, ReadonlyMap<string, Method>] {
  return [file.proto.package, new Map(methods.map((method) => [method.name, method]))];
}

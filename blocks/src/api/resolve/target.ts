/** What a request is for, and what its rules are about. */
export interface Target {
  readonly service: string;
  /** `Handler.Method`. */
  readonly endpoint: string;
  /** The resource that rules name: the same service and endpoint. */
  readonly resource: { readonly type: "service"; readonly name: string; readonly endpoint: string };
}

const version = /^v[0-9]+$/;

/**
 * The one service and endpoint that a path's segments stand for:
 *
 * | path | service | endpoint |
 * |---|---|---|
 * | /foo | foo | Foo.Call |
 * | /foo/bar | foo | Foo.Bar |
 * | /foo/bar/baz-xyz | foo | Bar.BazXyz |
 * | /foo/bar/baz/cat | foo.bar | Baz.Cat |
 * | /v1/foo/bar | v1.foo | Foo.Bar |
 *
 * A service with dots in its name may also be written as one segment: /foo.bar/cat is foo.bar, Bar.Cat.
 */
export function targetOf(segments: readonly string[]): Target {
  const [first = "", second = "", third = ""] = segments;
  switch (segments.length) {
    case 1:
      return target(first, handlerOf(first), "Call");
    case 2:
      return target(first, handlerOf(first), capitalised(second));
    case 3:
      if (version.test(first)) return target(`${first}.${second}`, capitalised(second), capitalised(third));
  }
  const [handler = "", method = ""] = segments.slice(-2);
  return target(segments.slice(0, -2).join("."), capitalised(handler), capitalised(method));
}

function target(service: string, handler: string, method: string): Target {
  const endpoint = `${handler}.${method}`;
  return { service, endpoint, resource: { type: "service", name: service, endpoint } };
}

function handlerOf(service: string): string {
  return capitalised(service.slice(service.lastIndexOf(".") + 1));
}

/** `baz-xyz` → `BazXyz`, `fooBar` → `FooBar`. */
function capitalised(part: string): string {
  return part
    .split("-")
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join("");
}

import { deepEqual, equal, throws } from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { canonicalSegments, nearNames, Resolver, targetOf } from "./index.ts";

const resolved = (path: string) => {
  const { service, endpoint, resource } = new Resolver().resolve(path);
  deepEqual(resource, { type: "service", name: service, endpoint });
  return [service, endpoint];
};

describe("a path", () => {
  for (const [path, service, endpoint] of [
    ["/foo", "foo", "Foo.Call"],
    ["/foo/", "foo", "Foo.Call"],
    ["/foo/bar", "foo", "Foo.Bar"],
    ["/foo/bar/", "foo", "Foo.Bar"],
    ["/foo/bar/baz-xyz", "foo", "Bar.BazXyz"],
    ["/foo/bar/baz/cat", "foo.bar", "Baz.Cat"],
    ["/foo/bar/baz/cat/car", "foo.bar.baz", "Cat.Car"],
    ["/foo/fooBar/bazCat", "foo", "FooBar.BazCat"],
    ["/v1/foo/bar", "v1.foo", "Foo.Bar"],
    ["/v12/foo/bar", "v12.foo", "Foo.Bar"],
    ["/v1/foo/bar/baz", "v1.foo", "Bar.Baz"],
    ["/v1/foo/bar/baz/cat", "v1.foo.bar", "Baz.Cat"],
    ["/v1", "v1", "V1.Call"],
    ["/v1/foo", "v1", "V1.Foo"],
    ["/vx/foo/bar", "vx", "Foo.Bar"],
    ["/hello-world", "hello-world", "HelloWorld.Call"],
    ["/hello-world/say-hi", "hello-world", "HelloWorld.SayHi"],
    ["/foo.bar/cat", "foo.bar", "Bar.Cat"],
    ["/foo.bar/baz/cat", "foo.bar", "Baz.Cat"],
    ["/foo/%62ar", "foo", "Foo.Bar"],
  ] as const) {
    it(`${path} is ${service} ${endpoint}`, () => deepEqual(resolved(path), [service, endpoint]));
  }

  it("that was remembered is found again, and the oldest is forgotten", () => {
    const resolver = new Resolver(2);
    for (const path of ["/a", "/b", "/c"]) resolver.remember(path, resolver.resolve(path));
    equal(resolver.resolve("/c"), resolver.resolve("/c"));
    const [first, second] = [resolver.resolve("/a"), resolver.resolve("/a")];
    equal(first === second, false);
  });
});

describe("a path with a second meaning (GW-16)", () => {
  for (const path of [
    "",
    "foo",
    "//",
    "//foo",
    "/foo//bar",
    "/foo//",
    "/foo/./bar",
    "/foo/../bar",
    "/foo/%2e%2e/bar",
    "/foo/%2E./bar",
    "/foo/.%2e",
    "/%2e",
    "/foo%2fbar",
    "/foo%2Fbar",
    "/foo%5cbar",
    "/foo\\bar",
    "/foo%00",
    "/foo%0a",
    "/foo%0d%0aX",
    "/foo%7f",
    "/foo%c2%85",
    "/foo;a=b/bar",
    "/foo/bar;",
    "/foo%3bbar",
    "/foo%252fbar",
    "/foo%25",
    "/foo%",
    "/foo%zz",
    "/foo%c0%af",
    "/foo%ff",
    "/foo%3fbar",
    "/foo%23bar",
    "/foo#bar",
  ]) {
    it(`${JSON.stringify(path)} is a 400`, () => throws(() => canonicalSegments(path), { code: 400 }));
  }

  it("never resolves to a segment that is structure, whatever the path", () => {
    const piece = fc.oneof(
      fc.constantFrom("/", "%2f", "..", ".", ";", "%", "%25", "a", "B", "%61", "\\", "%00"),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        try {
          for (const segment of canonicalSegments(`/${pieces.join("")}`)) {
            equal(/^\.{0,2}$|[/\\;%?#\0]/.test(segment) && segment !== "", false);
          }
        } catch (error) {
          equal((error as { code?: number }).code, 400);
        }
      }),
    );
  });

  it("has the same target however its letters are encoded", () => {
    const name = fc.stringMatching(/^[a-z][a-zA-Z0-9-]{0,8}$/);
    const encode = (text: string) =>
      Array.from(text, (char, at) => (at % 2 ? char : `%${char.charCodeAt(0).toString(16)}`)).join("");
    fc.assert(
      fc.property(fc.array(name, { minLength: 1, maxLength: 5 }), (names) => {
        deepEqual(resolved(`/${names.map(encode).join("/")}`), resolved(`/${names.join("/")}`));
      }),
    );
  });

  it("takes time in proportion to its length (GW-07)", () => {
    for (const long of [
      "a".repeat(50_000),
      "a/".repeat(25_000),
      ".".repeat(50_000),
      "a.".repeat(25_000),
      "%61".repeat(16_000),
    ]) {
      // Of the processor, which a busy machine gives to others in between.
      const before = process.threadCpuUsage();
      try {
        targetOf(canonicalSegments(`/${long}!;`));
      } catch {
        // Refusing is as good.
      }
      const { user, system } = process.threadCpuUsage(before);
      equal(user + system < 500_000, true);
    }
  });
});

describe("near names", () => {
  const names = ["helloworld", "posts", "comments", "tags", "users"];
  for (const [wanted, expected] of [
    ["helloword", ["helloworld"]],
    ["Helloworld", ["helloworld"]],
    ["hello", ["helloworld"]],
    ["post", ["posts"]],
    ["tag", ["tags"]],
    ["somethingelse", []],
  ] as const) {
    it(`of ${wanted} are ${expected.join(", ") || "none"}`, () => deepEqual(nearNames(wanted, names), expected));
  }
});

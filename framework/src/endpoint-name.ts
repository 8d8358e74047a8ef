/** `Handler.Method` of an endpoint: both in title case, dashes and dots as word breaks (`foo-bar` → `FooBar`). */
export function endpointName(service: string, key: string): string {
  const dot = key.indexOf(".");
  return dot < 0 ? `${title(service)}.${title(key)}` : `${title(key.slice(0, dot))}.${title(key.slice(dot + 1))}`;
}

function title(name: string): string {
  return name.replace(/(?:^|[-.]+)([0-9A-Za-z])/g, (_, first: string) => first.toUpperCase());
}

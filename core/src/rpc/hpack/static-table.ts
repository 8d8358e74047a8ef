/** A field of a header table. */
export interface Field {
  readonly name: string;
  readonly value: string;
  /** What the field counts for in a table and in a list of fields (RFC 7541 §4.1, RFC 9113 §6.5.2). */
  readonly size: number;
  /** Why the name alone makes a message malformed (RFC 9113 §8.2.1); undefined when it does not. */
  readonly nameFault: string | undefined;
  /** Why the field makes a message malformed, the name included. */
  readonly fault: string | undefined;
}

/** The octets that an entry counts for besides its name and value (RFC 7541 §4.1). */
export const entryOverhead = 32;

/** The number of static entries: dynamic ones are numbered from one more (RFC 7541 §2.3.3). */
export const staticEntries = 61;

/** RFC 7541 Appendix A: one line for each index from 1, the value behind the first space. */
const appendixA = `
:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate
`;

/** The static table by index; there is no index 0. */
export const staticTable: readonly (Field | undefined)[] = appendixA
  .split("\n")
  .slice(0, -1)
  .map((line, index) => {
    if (index === 0) return undefined;
    const [name = "", ...words] = line.split(" ");
    const value = words.join(" ");
    return { name, value, size: name.length + value.length + entryOverhead, nameFault: undefined, fault: undefined };
  });

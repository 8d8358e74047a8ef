import type { Exchange } from "./exchange.ts";

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const plain = /^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/;
const unsafe = /["\\]|[^\x20-\x7e]/g;

let stampedSecond = -1;
let stamp = "";

/**
 * A line of Apache's combined format: `address - account [time] "method path version" status bytes "referer" "user-agent"`. Without the query,
 * which is the caller's data. Quotes, backslashes and what isn't printable are escaped, so that a request can't forge a line.
 */
export function accessLine({
  request,
  clientAddress,
  account,
  path,
  status,
  bytesSent,
  startedAtMs,
}: Exchange): string {
  const { method, httpVersion, headers } = request;
  const referer = headers.referer === undefined ? "-" : safe(withoutQuery(headers.referer));
  const agent = headers["user-agent"] === undefined ? "-" : safe(headers["user-agent"]);
  const user = account === undefined ? "-" : safe(account.id).replaceAll(" ", "\\x20");
  return `${clientAddress} - ${user} [${timestamp(startedAtMs)}] "${method} ${safe(path)} HTTP/${httpVersion}" ${status} ${bytesSent} "${referer}" "${agent}"`;
}

function withoutQuery(url: string): string {
  const end = url.search(/[?#]/);
  return end < 0 ? url : url.slice(0, end);
}

function safe(text: string): string {
  return plain.test(text)
    ? text
    : text.replace(unsafe, (char) => (char === '"' || char === "\\" ? `\\${char}` : escaped(char)));
}

function escaped(char: string): string {
  return Array.from(Buffer.from(char), (byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
}

/** `31/Jan/2026:12:00:00 +0000`, made once a second. */
function timestamp(ms: number): string {
  const second = Math.floor(ms / 1000);
  if (second !== stampedSecond) {
    stampedSecond = second;
    const at = new Date(ms);
    const two = (value: number) => String(value).padStart(2, "0");
    const day = `${two(at.getUTCDate())}/${months[at.getUTCMonth()]}/${at.getUTCFullYear()}`;
    stamp = `${day}:${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())} +0000`;
  }
  return stamp;
}

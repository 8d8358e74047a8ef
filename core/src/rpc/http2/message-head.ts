/** A request's control data (RFC 9113 §8.3.1) beside its other fields. */
export interface RequestHead {
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly scheme: string;
  /** Where the regular fields begin in the list. */
  readonly fieldsFrom: number;
  /** The content-length; undefined without one. */
  readonly contentLength: number | undefined;
}

/** Fields of HTTP/1.1 connections, which make a message malformed (RFC 9113 §8.2.2). */
const connectionFields = new Set(["connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"]);

/** Reads the control data of a request, or says why the request is malformed (RFC 9113 §8.3). */
export function readRequest(fields: readonly string[]): RequestHead | string {
  let method: string | undefined;
  let path: string | undefined;
  let authority: string | undefined;
  let scheme: string | undefined;
  let at = 0;
  for (; at < fields.length; at += 2) {
    const name = fields[at] as string;
    if (name.charCodeAt(0) !== 58) break;
    const value = fields[at + 1] as string;
    if (name === ":method" && method === undefined) method = value;
    else if (name === ":path" && path === undefined) path = value;
    else if (name === ":scheme" && scheme === undefined) scheme = value;
    else if (name === ":authority" && authority === undefined) authority = value;
    else return `${name} is unknown or stands twice`;
  }
  const regular = checkRegular(fields, at);
  if (typeof regular === "string") return regular;
  if (method === undefined) return ":method is missing";
  if (method === "CONNECT") {
    if (path !== undefined || scheme !== undefined || authority === undefined) return "CONNECT has only :authority";
    return { method, path: "", authority, scheme: "", fieldsFrom: at, contentLength: regular.contentLength };
  }
  if (!path) return ":path is missing or empty";
  if (scheme === undefined) return ":scheme is missing";
  return { method, path, authority: authority ?? "", scheme, fieldsFrom: at, contentLength: regular.contentLength };
}

/** A response's control data. */
export interface ResponseHead {
  readonly status: number;
  readonly contentLength: number | undefined;
}

/** Reads the control data of a response, or says why the response is malformed. */
export function readResponse(fields: readonly string[]): ResponseHead | string {
  if (fields[0] !== ":status") return ":status doesn't come first";
  const status = Number(fields[1]);
  if (fields[1]?.length !== 3 || !(status >= 100 && status <= 999)) return `:status is "${fields[1]}"`;
  const regular = checkRegular(fields, 2);
  return typeof regular === "string" ? regular : { status, contentLength: regular.contentLength };
}

/** Why trailers are malformed: they have no pseudo-header fields (RFC 9113 §8.1). */
export function trailersProblem(fields: readonly string[]): string | undefined {
  const checked = checkRegular(fields, 0);
  return typeof checked === "string" ? checked : undefined;
}

function checkRegular(fields: readonly string[], from: number): { contentLength: number | undefined } | string {
  let contentLength: number | undefined;
  for (let at = from; at < fields.length; at += 2) {
    const name = fields[at] as string;
    switch (name.length) {
      case 2:
        if (name === "te" && fields[at + 1] !== "trailers") return 'te is something other than "trailers"';
        break;
      // The lengths of the names in connectionFields.
      case 7:
      case 10:
      case 16:
      case 17:
        if (connectionFields.has(name)) return `${name} belongs to HTTP/1.1`;
        break;
      case 14:
        if (name === "content-length") {
          const length = contentLengthOf(fields[at + 1] as string);
          if (length === undefined || (contentLength !== undefined && contentLength !== length))
            return "content-length is not one number";
          contentLength = length;
        }
        break;
    }
    if (name.charCodeAt(0) === 58) return `${name} stands behind a regular field`;
  }
  return contentLength === undefined ? noLength : { contentLength };
}

const noLength = { contentLength: undefined };

function contentLengthOf(text: string): number | undefined {
  const length = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(length) ? length : undefined;
}

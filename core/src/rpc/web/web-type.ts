/** What a content type of gRPC-Web asks for (PROTOCOL-WEB.md, Content-Type). */
export interface WebType {
  /** gRPC's own name for how the messages are written, such as `application/grpc+json`. */
  readonly grpcType: string;
  /** The request's body is in base64. */
  readonly isText: boolean;
  readonly answerType: string;
  /** The answer's body is to be in base64. */
  readonly isAnswerText: boolean;
}

const prefix = "application/grpc-web";

/** Whether the content type is one of gRPC-Web's. Called for each call that isn't: one character tells them apart. */
export function isWebType(contentType: string): boolean {
  return contentType.charCodeAt(16) === 45 && /^application\/grpc-web(?:-text)?(?:$|[+; ])/.test(contentType);
}

/** Reads a content type of gRPC-Web, and what `accept` wants instead of it. */
export function webTypeOf(contentType: string, accept: string | undefined): WebType {
  const isText = contentType.startsWith(`${prefix}-text`);
  const codec = (contentType.slice(isText ? prefix.length + 5 : prefix.length).split(";", 1)[0] as string).trim();
  const wanted = accept?.includes(prefix) ? accept : contentType;
  const isAnswerText = wanted.includes(`${prefix}-text`);
  return {
    grpcType: `application/grpc${codec}`,
    isText,
    answerType: `${prefix}${isAnswerText ? "-text" : ""}${codec || "+proto"}`,
    isAnswerText,
  };
}

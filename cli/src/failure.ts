import { type ErrorCode, MicroError } from "@microts/core";

/** An error of the command line itself, with the exit code it ends the process with. */
export class CommandError extends MicroError {
  readonly exitCode: number;
  constructor(exitCode: number, detail: string, code: ErrorCode = 400, options?: ErrorOptions) {
    super(code, "micro", detail, options);
    this.exitCode = exitCode;
  }
}

/** The command was written wrongly: exit code 1. */
export function usageError(detail: string): CommandError {
  return new CommandError(1, detail);
}

/** What an error comes to for the user. */
export interface Failure {
  readonly exitCode: number;
  readonly error: MicroError;
  /** What is printed. Empty for Ctrl-C, which needs no words. */
  readonly text: string;
}

const interrupted = 130;

/**
 * The exit code and text of an error (wire §4, last table). `plain` commands (auth, store, user, login) end with 1 whatever the error.
 */
export function failureOf(reason: unknown, plain: boolean): Failure {
  const error = MicroError.from(reason, "micro");
  const isForeign = !(reason instanceof MicroError);
  const [exitCode, text] = classify(error, isForeign);
  if (!plain || exitCode === interrupted || error instanceof CommandError) return { exitCode, error, text };
  // What these commands are refused is about the account in question, not about the one that asks.
  return { exitCode: 1, error, text: error.code === 401 ? capitalise(error.detail) : text };
}

function classify(error: MicroError, isForeign: boolean): [number, string] {
  const { code, detail } = error;
  if (error instanceof CommandError) return [error.exitCode, detail];
  if (code === 499) return [interrupted, ""];
  const malformed = /malformed method name: "([^"]*)"/.exec(detail);
  if (malformed !== null) return [3, `Method name "${malformed[1]}" invalid format. Expecting service.endpoint`];
  const route = /service "?([^\s":]+)"?: route not found/.exec(detail);
  if (route !== null) return [4, `Service "${route[1]}" not found`];
  const unknown = /unknown service "?([\w-]+(?:\.[\w-]+)*)"?/.exec(detail)?.[1];
  if (unknown?.includes(".")) return [5, `Service method "${unknown}" not found`];
  if (unknown !== undefined) return [5, `Service "${unknown}" not found`];
  const unreachable = unreachableAddress(error);
  if (unreachable !== undefined) return [4, cannotReach(unreachable, detail)];
  if (code === 408) return [1, `Request timed out${tail(detail)}`];
  if (code === 401) return [2, `Not authorized to perform this request${tail(detail)}`];
  return [isForeign ? 128 : 127, capitalise(detail || error.status)];
}

/** The address that an error of our own client says it could not reach. */
export function unreachableAddress({ id, code, detail }: MicroError): string | undefined {
  if (code !== 503 || id !== "go.micro.client") return undefined;
  return /(?:listens on|connection to) (\S+?)[ :]*(?: |$)/.exec(detail)?.[1];
}

function cannotReach(address: string, detail: string): string {
  const why = detail.startsWith("nothing listens") ? "nothing listens there" : detail;
  return `cannot reach the micro server at ${address}: ${why}. Start one with: micro server, or choose another environment: micro env`;
}

function tail(detail: string): string {
  return detail === "" ? "" : `: ${detail}`;
}

function capitalise(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

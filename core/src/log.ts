/** Fields that go with a line. Never secrets. */
export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** The same log with fields added to every line. */
  with(fields: LogFields): Log;
}

/** Says nothing. The default everywhere. */
export const silent: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  with: () => silent,
};

/** In ascending order of importance. */
export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

/**
 * A log of one line per message, `2026-01-31T12:00:00.000Z info  message key=value`, handed to `write` with its newline.
 * Control characters, line separators and marks that turn the writing direction are escaped, so that a value can't forge a line or steer a terminal.
 */
export function lineLog(write: (line: string) => void, level: LogLevel = "info", fields: LogFields = {}): Log {
  const threshold = logLevels.indexOf(level);
  const at = (name: LogLevel) => {
    if (logLevels.indexOf(name) < threshold) return () => {};
    return (message: string, more: LogFields = {}) => {
      const pairs = Object.entries({ ...fields, ...more }).filter(([, value]) => value !== undefined);
      const tail = pairs.map(([key, value]) => ` ${visible(key)}=${format(value)}`).join("");
      write(`${new Date().toISOString()} ${name.padEnd(5)} ${visible(message)}${tail}\n`);
    };
  };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    with: (more) => lineLog(write, level, { ...fields, ...more }),
  };
}

function format(value: unknown): string {
  const text = value instanceof Error ? value.message : typeof value === "string" ? value : json(value);
  return /^[^\s"=\p{Cc}\p{Bidi_Control}]+$/u.test(text) ? text : visible(JSON.stringify(text));
}

/** What JSON can't hold must not make a log call fail. */
function json(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}

function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, (char) => {
    if (char === "\t") return char;
    const short = JSON.stringify(char).slice(1, -1);
    return short === char ? `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}` : short;
  });
}

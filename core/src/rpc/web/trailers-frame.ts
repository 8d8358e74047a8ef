const trailersFlag = 0x80;

/** Trailers as the last frame of a body (PROTOCOL-WEB.md): lines of HTTP/1.1 behind a prefix with the highest bit set. */
export function trailersFrame(fields: readonly string[]): Buffer {
  let text = "";
  for (let at = 0; at < fields.length; at += 2) text += `${fields[at]}: ${fields[at + 1]}\r\n`;
  const frame = Buffer.allocUnsafe(5 + text.length);
  frame[0] = trailersFlag;
  frame.writeUInt32BE(text.length, 1);
  frame.write(text, 5, "latin1");
  return frame;
}

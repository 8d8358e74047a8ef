/** Whether the text is an origin as browsers write it: `https://host` or `https://host:port`. */
export function isOrigin(text: string): boolean {
  return /^https?:[^*]*$/.test(text) && URL.canParse(text) && new URL(text).origin === text;
}

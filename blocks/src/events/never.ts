/** Of calls that nobody ends early. One for all, so that it is known as such. */
export const never: AbortSignal = new AbortController().signal;

// Becomes another program inside the network namespace of a process: `in-namespace.ts <pid> <program> [argument…]`. It keeps its
// process id and streams, so that whoever started this file talks to that program.
const [pid, ...words] = process.argv.slice(2);
process.execve?.("/usr/bin/env", ["env", "nsenter", `--net=/proc/${pid}/ns/net`, ...words]);

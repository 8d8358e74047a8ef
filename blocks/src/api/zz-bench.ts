import { Gateway } from "./index.ts";

const lines: string[] = [];
const reply = Buffer.from('{"msg":"Hello Jane"}');
const endpoints = [
  {
    name: "Helloworld.Call",
    request: { name: "R", type: "R", values: [{ name: "name", type: "string", values: [] }] },
    response: undefined,
    metadata: {},
  },
];
const gateway = new Gateway({
  address: `127.0.0.1:${process.argv[2]}`,
  version: "1",
  resolveService: () => ({ endpoints }),
  serviceNames: () => [],
  account: () => undefined,
  authorize: () => {},
  call: async () => reply,
  stream: async function* () {},
  accessLog: process.env.NOLOG ? (_l: string) => {} : (line) => {
    lines.push(line);
    if (lines.length > 1000) lines.length = 0;
  },
});
await gateway.listen();
process.on("SIGTERM", () => process.exit(0));

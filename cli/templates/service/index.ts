import { endpoint, service } from "@microts/service";
import { z } from "zod";

export default service("{{name}}", {
  call: endpoint({
    description: "Greets somebody by name",
    input: z.object({ name: z.string() }),
    output: z.object({ msg: z.string() }),
    handler: ({ name }) => ({ msg: `Hello ${name}` }),
  }),

  stream: endpoint({
    description: "Counts up to a number, a reply for each",
    input: z.object({ count: z.int().min(0).max(1000) }),
    output: z.object({ count: z.int() }),
    handler: async function* ({ count }) {
      for (let n = 1; n <= count; n++) yield { count: n };
    },
  }),
});

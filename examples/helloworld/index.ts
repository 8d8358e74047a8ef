import { endpoint, service } from "@microts/service";
import { z } from "zod";

export default service("helloworld", {
  call: endpoint({
    description: "Greets somebody by name",
    input: z.object({ name: z.string() }),
    output: z.object({ msg: z.string() }),
    handler: ({ name }) => ({ msg: `Hello ${name}` }),
  }),
});

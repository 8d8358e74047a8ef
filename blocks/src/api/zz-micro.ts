import { requestBytes } from "./request.ts";
import { Fields, addUrlencoded } from "./fields.ts";
const schema = { name: "R", type: "R", values: [{ name: "name", type: "string", values: [] }] };
function time(n: string, f: (i: number) => unknown) { for (let k = 0; k < 3; k++) { const t = performance.now(); let x = 0; for (let i = 0; i < 300000; i++) x += (f(i) as object) ? 1 : 0; if (k === 2) console.log(n, (((performance.now() - t) / 300000) * 1000).toFixed(2), "us"); } }
const url = (i: number) => Buffer.from("/helloworld/call?name=Jane" + (i % 10)).toString("latin1");
time("url", (i) => url(i));
time("requestBytes", (i) => { const u = url(i); return requestBytes({ query: u.slice(u.indexOf("?") + 1), contentType: undefined, body: undefined, schema }); });
time("fields", (i) => { const u = url(i); const f = new Fields(schema); addUrlencoded(f, u.slice(u.indexOf("?") + 1), "json"); return f; });
time("stringify", (i) => JSON.stringify({ name: "Jane" + i }));
time("stringify+buf", (i) => Buffer.from(JSON.stringify({ name: "Jane" + i })));
time("dyn", (i) => { const o: Record<string, string> = {}; const k = Buffer.from("name").toString("latin1"); o[k] = "x"; return JSON.stringify(o); });

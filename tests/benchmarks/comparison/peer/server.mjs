// The same as naive.py in Node: fastify, undici and fast-xml-parser, written as a competent user would.
import { XMLParser } from "fast-xml-parser";
import fastify from "fastify";
import { Pool } from "undici";

const [platform, port, key] = process.argv.slice(2);
const base = "/mm-ms/apinew/";
const pool = new Pool(`http://127.0.0.1:${platform}`, { connections: 100 });
const authorization = `Basic ${Buffer.from("acme:tenant-password").toString("base64")}`;
const parser = new XMLParser({ parseTagValue: false });
const many = (node) => (Array.isArray(node) ? node : node ? [node] : []);
const named = (nodes, name) => many(nodes).map((each) => ({ id: Number(each[`${name}_id`]), name: each[`${name}_name`] }));

async function ask(script, query, body) {
  const reply = await pool.request({
    path: `${base}${script}?${query}`,
    method: body ? "POST" : "GET",
    headers: body ? { authorization, "content-type": "application/x-www-form-urlencoded" } : { authorization },
    body,
  });
  const text = await reply.body.text();
  if (reply.statusCode !== 200) throw new Error(`HTTP ${reply.statusCode}`);
  return parser.parse(text);
}

const app = fastify();
app.addHook("onRequest", async (request, reply) => {
  if (request.headers["x-api-key"] !== key) await reply.code(401).send({ detail: "no key" });
});
app.get("/v1/account", async () => {
  const { customer } = await ask("account.php", "do=customer-info");
  return { ...customer, id: Number(customer.id) };
});
app.get("/v1/campaigns", async (request) => {
  const found = await ask("task.php", `do=task-list&page=1&limit=${request.query.page_size ?? 50}`);
  return many(found.task_list.task).map((task) => ({
    id: Number(task.id),
    batch: task.sn,
    from_address: task.sender,
    from_name: task.sender_name,
    reply_to: task.replyto,
    templates: named(task.templates.template, "tpl"),
    lists: named(task.listes.item, "list"),
    recipient_count: Number(task.send_qty_remak),
    scheduled_at: task.send_time,
    sent_count: Number(task.send_count),
    error_count: Number(task.error_count),
    status: Number(task.send_status),
    tracking: Number(task.track_status),
  }));
});
app.get("/v1/contacts", async (request) => {
  const found = await ask("mloperate.php", `do=ml-addr-list&page=1&limit=${request.query.page_size ?? 50}`);
  return many(found.data.addr).map(({ address, fullname, ...each }) => ({
    ...each,
    id: Number(each.id),
    list_id: Number(each.list_id),
    email: address,
    name: fullname,
  }));
});
app.post("/v1/campaigns", async (request, reply) => {
  const { template_ids, list_id, from_name } = request.body;
  const form = new URLSearchParams({ tpl_id: template_ids.join(), maillist_id: list_id, send_fullname: from_name });
  const { result } = await ask("task.php", "do=add-task", form.toString());
  return reply.code(201).send({ id: Number(result.id) });
});
await app.listen({ host: "127.0.0.1", port: Number(port) });

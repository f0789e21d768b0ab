// Every method of TileDB's JavaScript client that is about accounts, organizations, arrays, groups, files and notebooks, against a
// server. Its argument is the JSON that package launch gives; it prints a JSON line at the begin and at the end of every step.
"use strict";
const assert = require("assert");
const fs = require("fs");
const path = require("path");
const cloud = require("@tiledb-inc/tiledb-cloud");

const conf = JSON.parse(process.argv[2]);
const ns = conf.namespace;
const steps = [];
const step = (name, run) => steps.push([name, run]);

const clientOf = (token) => new cloud.default({ basePath: conf.server, apiKey: token });
const c = clientOf(conf.token);
const api = (name, version = "v1", client = c) => new cloud[version][name](version === "v1" ? client.config : client.configV2);

async function refused(promise, status) {
  try {
    await promise;
  } catch (e) {
    assert.ok(e.response, String(e));
    assert.strictEqual(e.response.status, status, JSON.stringify(e.response.data));
    assert.ok(e.response.data.message && e.response.data.code, JSON.stringify(e.response.data));
    return;
  }
  assert.fail("not refused");
}

async function call(method, address, body, headers) {
  const reply = await fetch(conf.server + address, { method, body, headers });
  assert.ok(reply.ok, `${method} ${address}: ${reply.status} ${await reply.clone().text()}`);
  return reply;
}

async function all(array, query) {
  const parts = [];
  for await (const part of c.query.ReadQuery(ns, array, query)) {
    parts.push(part);
    assert.ok(parts.length < 100, "the read does not end");
  }
  return parts;
}

const numbers = (list) => Array.from(list, Number);

// schema is an array's as the published API describes it.
const dimension = (name, high) => ({ name, type: "INT32", domain: { int32: [0, high] }, tileExtent: { int32: 5 }, nullTileExtent: false });
const attribute = (name, type, more = {}) => ({ name, type, cellValNum: 1, filterPipeline: { filters: [] }, ...more });
const variable = 4294967295;
const schema = (arrayType, dimensions, attributes) => ({
  arrayType, attributes, capacity: 100, cellOrder: "row-major", tileOrder: "row-major", allowsDuplicates: false, version: [2, 22, 0],
  coordsFilterPipeline: { filters: [] }, offsetFilterPipeline: { filters: [] },
  domain: { cellOrder: "row-major", tileOrder: "row-major", type: "INT32", dimensions },
});

step("create arrays by JSON schemas", async () => {
  await c.ArrayApi.createArray(ns, "dense", "application/json", schema("dense", [dimension("r", 9), dimension("k", 9)], [attribute("a", "INT32")]));
  await c.ArrayApi.createArray(ns, "sparse", "application/json", schema("sparse", [dimension("x", 99), dimension("y", 99)],
    [attribute("n", "INT64"), attribute("s", "STRING_ASCII", { cellValNum: variable }), attribute("f", "FLOAT64", { nullable: true })]));
  const got = (await c.ArrayApi.getArray(ns, "sparse", "application/json")).data;
  assert.strictEqual(got.arrayType, "sparse");
  assert.deepStrictEqual(got.attributes.map((a) => [a.name, a.type, a.cellValNum, a.nullable]),
    [["n", "INT64", 1, false], ["s", "STRING_ASCII", variable, false], ["f", "FLOAT64", 1, true]]);
  assert.deepStrictEqual(got.domain.dimensions.map((d) => [d.name, d.domain.int32, d.tileExtent.int32]), [["x", [0, 99], 5], ["y", [0, 99], 5]]);
  assert.strictEqual(got.capacity, 100);
  await refused(c.ArrayApi.createArray(ns, "sparse", "application/json", schema("dense", [dimension("r", 9)], [attribute("a", "INT32")])), 409);
  await refused(c.ArrayApi.createArray(ns, "wrong", "application/json", schema("dense", [dimension("r", 9)], [attribute("a", "NOTHING")])), 400);
  await refused(c.ArrayApi.getArray(ns, "nothing", "application/json"), 404);
});

step("write queries", async () => {
  const values = Array.from({ length: 100 }, (_, i) => i);
  assert.strictEqual((await c.query.WriteQuery(ns, "dense", { layout: "row-major", subarray: [[0, 9], [0, 9]], values: { a: { values } } })).status, "COMPLETED");
  const x = Array.from({ length: 20 }, (_, i) => i);
  const texts = x.map((i) => "s".repeat((i % 3) + 1) + i);
  const offsets = [];
  let at = 0;
  for (const t of texts) {
    offsets.push(at);
    at += t.length;
  }
  const done = await c.query.WriteQuery(ns, "sparse", { layout: "unordered", values: {
    x: { values: x }, y: { values: x.map((i) => 2 * i) }, n: { values: x.map((i) => 10 * i) },
    s: { values: texts.join("").split(""), offsets }, f: { values: x.map((i) => i / 2), validity: x.map((i) => i % 2) },
  } });
  assert.strictEqual(done.status, "COMPLETED");
});

step("read queries", async () => {
  const [box, ...rest] = await all("dense", { layout: "row-major", ranges: [[1, 2], [3, 5]], bufferSize: 15000 });
  assert.deepStrictEqual(rest, []);
  assert.deepStrictEqual([box.a, box.r, box.k].map(numbers), [[13, 14, 15, 23, 24, 25], [1, 1, 1, 2, 2, 2], [3, 4, 5, 3, 4, 5]]);
  const [cells] = await all("sparse", { layout: "row-major", ranges: [[0, 3], [0, 99]], bufferSize: 15000 });
  assert.deepStrictEqual([cells.x, cells.y, cells.n].map(numbers), [[0, 1, 2, 3], [0, 2, 4, 6], [0, 10, 20, 30]]);
  assert.deepStrictEqual(cells.s, ["s0", "ss1", "sss2", "s3"]);
  assert.deepStrictEqual(cells.f, [null, 0.5, null, 1.5]);
  const [several] = await all("sparse", { layout: "row-major", ranges: [[[0, 1], [7, 8]], []], bufferSize: 15000, attributes: ["n"] });
  assert.deepStrictEqual(Object.keys(several), ["n"]);
  assert.deepStrictEqual(numbers(several.n), [0, 10, 70, 80]);
});

step("read queries in parts", async () => {
  for (const bufferSize of [200, 400, 999]) {
    const parts = await all("sparse", { layout: "row-major", ranges: [[0, 99], [0, 99]], bufferSize });
    assert.ok(parts.length > 1, `one part of ${bufferSize} bytes`);
    assert.deepStrictEqual(parts.flatMap((p) => numbers(p.n)), Array.from({ length: 20 }, (_, i) => 10 * i));
    assert.strictEqual(parts.flatMap((p) => p.s).join(), Array.from({ length: 20 }, (_, i) => "s".repeat((i % 3) + 1) + i).join());
  }
  const parts = await all("dense", { layout: "row-major", ranges: [[0, 9], [0, 9]], bufferSize: 100 });
  assert.deepStrictEqual(parts.flatMap((p) => numbers(p.a)), Array.from({ length: 100 }, (_, i) => i));
});

step("errors of queries", async () => {
  await assert.rejects(all("dense", { layout: "row-major", ranges: [[0, 50], [0, 9]], bufferSize: 1000 }), /domain|range/);
  await assert.rejects(all("nothing", { layout: "row-major", ranges: [[0, 1]], bufferSize: 1000 }), /404/);
});

step("information and lists", async () => {
  assert.strictEqual((await c.userProfile()).data.username, conf.user);
  const info = (await c.info(ns, "dense")).data;
  assert.deepStrictEqual([info.namespace, info.name, info.type, info.tiledb_uri], [ns, "dense", "dense", `tiledb://${ns}/dense`]);
  const names = async (list) => ((await list).data.arrays || []).map((a) => a.name).sort();
  assert.deepStrictEqual(await names(c.listArrays()), ["dense", "sparse"]);
  assert.deepStrictEqual(await names(c.listArrays({ search: "spar" })), ["sparse"]);
  assert.deepStrictEqual(await names(c.listArrays({ perPage: 1, page: 2, orderby: "name" })), ["sparse"]);
  assert.deepStrictEqual(await names(c.listPublicArrays()), []);
  assert.deepStrictEqual(await names(c.listSharedArrays()), []);
  assert.ok((await c.ArrayApi.arraysBrowserOwnedSidebarGet()).data);
  assert.deepStrictEqual((await c.ArrayApi.getArraysInNamespace(ns)).data.map((a) => a.name).sort(), ["dense", "sparse"]);
  await c.ArrayApi.updateArrayMetadata(ns, "dense", { description: "one hundred cells", tags: ["made-here"] });
  assert.strictEqual((await c.info(ns, "dense")).data.description, "one hundred cells");
  assert.deepStrictEqual(await names(c.listArrays({ tag: ["made-here"] })), ["dense"]);
  assert.deepStrictEqual(await names(c.listArrays({ excludeTag: ["made-here"] })), ["sparse"]);
  assert.ok((await c.ArrayApi.getLastAccessedArrays()).data.length > 0);
});

step("previews", async () => {
  assert.deepStrictEqual((await c.ArrayApi.getArrayNonEmptyDomainJson(ns, "dense")).data, { r: [0, 9], k: [0, 9] });
  assert.ok((await c.ArrayApi.getArraySampleData(ns, "dense", 3)).data);
  assert.ok((await c.ArrayApi.arraysNamespaceArrayEndTimestampsGet(ns, "dense")).data.end_timestamps.length === 1);
});

step("activity", async () => {
  const actions = (await c.arrayActivity(ns, "sparse")).data.map((e) => e.action);
  for (const want of ["create", "query_write", "query_read"]) {
    assert.ok(actions.includes(want), `${want} of ${actions}`);
  }
});

let second;
step("users and tokens", async () => {
  const users = api("UserApi");
  await users.createUser({ username: "jane", password: "a long password" });
  const made = await (await call("POST", "/v1/token", JSON.stringify({ name: "js" }),
    { "Content-Type": "application/json", Authorization: "Basic " + Buffer.from("jane:a long password").toString("base64") })).json();
  second = clientOf(made.token);
  assert.strictEqual((await second.userProfile()).data.username, "jane");
  assert.strictEqual((await users.getUserWithUsername("jane")).data.username, "jane");
  const scoped = (await api("UserApi", "v1", second).requestToken({ name: "small", scope: ["array:read"] })).data.token;
  const tokens = (await api("UserApi", "v1", second).tokensGet()).data;
  assert.deepStrictEqual(tokens.map((t) => t.name).sort(), ["js", "small"]);
  await api("UserApi", "v1", second).revokeToken("small");
  await refused(clientOf(scoped).userProfile(), 401);
  assert.ok((await users.getTokenScopes()).data);
});

step("sharing", async () => {
  await refused(second.info(ns, "dense"), 404);
  await c.shareArray(ns, "dense", { namespace: "jane", actions: ["read"] });
  assert.deepStrictEqual((await second.listSharedArrays()).data.arrays.map((a) => a.name), ["dense"]);
  const shared = (await c.listSharedWith(ns, "dense")).data;
  assert.ok(shared.some((s) => s.namespace === "jane" && s.actions.includes("read")), JSON.stringify(shared));
  await refused(second.shareArray(ns, "dense", { namespace: "jane", actions: ["write"] }), 403);
  await c.unshareArray(ns, "dense", "jane");
  await refused(second.info(ns, "dense"), 404);
});

step("organizations", async () => {
  const orgs = api("OrganizationApi");
  await orgs.createOrganization({ name: "lab", description: "The lab" });
  await orgs.addUserToOrganization("lab", { username: "jane", role: "read_only" });
  assert.strictEqual((await orgs.getOrganizationUser("lab", "jane")).data.role, "read_only");
  await orgs.updateUserInOrganization("lab", "jane", { username: "jane", role: "read_write" });
  const lab = (await second.organization("lab")).data;
  assert.deepStrictEqual([lab.name, lab.role], ["lab", "read_write"]);
  assert.deepStrictEqual((await second.organizations()).data.map((o) => o.name), ["lab"]);
  await orgs.updateOrganization("lab", { name: "lab", description: "Our lab" });
  assert.strictEqual((await c.organization("lab")).data.description, "Our lab");
  await refused(api("OrganizationApi", "v1", second).deleteOrganization("lab"), 403);
  await orgs.deleteUserFromOrganization("lab", "jane");
  await refused(second.organization("lab"), 404);
});

step("credentials", async () => {
  const users = api("UserApi", "v2");
  const secret = "a-very-secret-access-key";
  await users.addCredential(ns, { name: "bucket", provider: "AWS", provider_default: false, type: "ACCESS_CREDENTIALS",
    credential: { aws: { access_key_id: "AKIA", secret_access_key: secret } } });
  const got = (await users.getCredential(ns, "bucket")).data;
  assert.strictEqual(got.name, "bucket");
  const list = (await users.listCredentials(ns)).data;
  assert.ok(list.credentials.some((k) => k.name === "bucket"));
  assert.ok(!JSON.stringify([got, list]).includes(secret));
  await users.deleteCredential(ns, "bucket");
  await refused(users.getCredential(ns, "bucket"), 404);
});

step("favorites", async () => {
  const favorites = api("FavoritesApi");
  await favorites.addArrayFavorite(ns, "dense");
  assert.deepStrictEqual((await favorites.listArrayFavorites()).data.arrays.map((a) => a.name), ["dense"]);
  assert.strictEqual((await favorites.listArrayFavoritesUUIDs()).data.length, 1);
  assert.ok((await favorites.getArrayFavorite(ns, "dense")).data);
  await favorites.deleteArrayFavorite(ns, "dense");
  assert.deepStrictEqual((await favorites.listArrayFavorites()).data.arrays || [], []);
});

step("invitations", async () => {
  const invitations = api("InvitationApi");
  const list = (await invitations.fetchInvitations()).data;
  assert.deepStrictEqual(list.invitations || [], []);
});

step("notebooks", async () => {
  const text = JSON.stringify({ cells: [{ source: "print(1)" }] });
  const form = new FormData();
  form.append("name", "book");
  form.append("input_file", new Blob([text]), "book.ipynb");
  await call("POST", `/v1/notebooks/${ns}/upload`, form, { "X-TILEDB-REST-API-KEY": conf.token });
  assert.strictEqual(await c.downloadNotebookContents(ns, "book"), text);
  await c.renameNotebook(ns, "book", "pages");
  assert.strictEqual(await c.downloadNotebookContents(ns, "pages"), text);
  await c.downloadNotebookToFile(ns, "pages");
  assert.strictEqual(fs.readFileSync(path.join(conf.dir, "pages.ipynb"), "utf8"), text);
});

step("files", async () => {
  // The client knows no type BLOB, which files of today have: it reads those whose bytes are UINT8.
  const position = { name: "position", type: "UINT64", domain: { uint64: [0, 999] }, tileExtent: { uint64: 100 }, nullTileExtent: false };
  const file = schema("dense", [position], [attribute("contents", "UINT8")]);
  file.domain.type = "UINT64";
  await c.ArrayApi.createArray(ns, "file", "application/json", file);
  const bytes = Array.from("a,b\n1,2\n", (ch) => ch.charCodeAt(0));
  await c.query.WriteQuery(ns, "file", { layout: "row-major", subarray: [[0, 7]], values: { contents: { values: bytes } } });
  const headers = { "X-TILEDB-REST-API-KEY": conf.token, "Content-Type": "application/json" };
  const entry = (key, type, value) => ({ key, type, valueNum: value.length, value, del: false });
  await call("POST", `/v1/arrays/${ns}/file/array_metadata`, JSON.stringify({ entries: [
    { ...entry("file_size", "UINT32", [8, 0, 0, 0]), valueNum: 1 },
    entry("original_file_name", "STRING_UTF8", Array.from(Buffer.from("f.csv"))), entry("mime_type", "STRING_UTF8", Array.from(Buffer.from("text/csv"))),
  ] }), headers);
  const got = await c.getFileContents(ns, "file");
  assert.deepStrictEqual([Buffer.from(got.buffer).subarray(0, 8).toString(), got.originalFileName, got.mimeType], ["a,b\n1,2\n", "f.csv", "text/csv"]);
  await c.downloadFile(ns, "file");
  assert.ok(fs.readFileSync(path.join(conf.dir, "f.csv"), "utf8").startsWith("a,b\n1,2\n"));
});

step("register and deregister", async () => {
  const uri = (await c.info(ns, "dense")).data.uri;
  await c.deregisterArray(ns, "dense");
  await refused(c.info(ns, "dense"), 404);
  await c.registerArray(ns, "again", { uri });
  const [box] = await all("again", { layout: "row-major", ranges: [[0, 0], [0, 2]], bufferSize: 1000 });
  assert.deepStrictEqual(numbers(box.a), [0, 1, 2]);
  await c.ArrayApi.deleteArray(ns, "again", "application/json");
  await refused(c.info(ns, "again"), 404);
});

(async () => {
  process.chdir(conf.dir);
  for (const [name, run] of steps) {
    const report = { scenario: "client", step: name };
    console.log(JSON.stringify({ ...report, begin: true }));
    try {
      await run();
      console.log(JSON.stringify({ ...report, ok: true }));
    } catch (e) {
      const reply = e.response ? `${e.config.method} ${e.config.url}: ${e.response.status} ${JSON.stringify(e.response.data)}: ` : "";
      console.log(JSON.stringify({ ...report, ok: false, error: reply + e.stack }));
    }
  }
})();

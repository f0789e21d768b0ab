"""Lets libtiledb read messages that package wire encoded and hand back what it read.

usage: judge.py DIR   (with a Python that has the tiledb wheel; nothing is fetched and no server is needed)

For every file of DIR, by the first word of its name:
  schema-*.bin     ArraySchema        -> *.back: the schema as libtiledb encodes it
  array-*.bin      Array              -> *.back: the open array as libtiledb encodes it
  fragments-*.bin  FragmentInfo       -> *.json: what the fragment info functions answer
  reply-*.bin      Query and buffers  -> *.json: the user's buffers; *.back: the query as the client submits it next
A reply comes with reply-*.ask, a JSON text: schema (a file of DIR), type, layout, fields [[name, data, offsets,
validity bytes], ...]. A message that libtiledb refuses gives *.error with its text. Exit status 0 whatever was refused."""
import ctypes as C, glob, json, os, shutil, sys, tempfile, tiledb

so = glob.glob(os.path.join(os.path.dirname(tiledb.__file__), "..", "tiledb.libs", "libtiledb-*.so*"))[0]
L = C.CDLL(so)
P, U64, INT = C.c_void_p, C.c_uint64, C.c_int
CAPNP = INT(); L.tiledb_serialization_type_from_str(b"CAPNP", C.byref(CAPNP))
ctx, config, fault = P(), P(), P()
L.tiledb_config_alloc(C.byref(config), C.byref(fault)); L.tiledb_ctx_alloc(config, C.byref(ctx))

class Refused(Exception): pass
def call(name, *args):
    if getattr(L, name)(ctx, *args) != 0:
        e, text = P(), C.c_char_p()
        L.tiledb_ctx_get_last_error(ctx, C.byref(e)); L.tiledb_error_message(e, C.byref(text))
        raise Refused("%s: %s" % (name, text.value.decode()))

keep = []
def buffer(data):
    b, words = P(), (C.c_uint64 * (len(data) // 8 + 1))(); C.memmove(words, data, len(data)); keep.append(words)
    call("tiledb_buffer_alloc", C.byref(b)); call("tiledb_buffer_set_data", b, C.cast(words, P), U64(len(data)))
    return b
def content(b):
    data, n = P(), U64(); call("tiledb_buffer_get_data", b, C.byref(data), C.byref(n))
    return C.string_at(data, n.value) if n.value else b""
def serialized(name, *args):
    b = P(); call(name, *args, C.byref(b)); return content(b)

def schema_of(data):
    s = P(); call("tiledb_deserialize_array_schema", buffer(data), CAPNP, INT(1), C.byref(s)); return s
def local_array(schema):
    """A new empty local array of the schema."""
    uri = os.path.join(folder, "a%d" % len(keep)).encode(); call("tiledb_array_create", uri, schema); return uri
def opened(uri, kind):
    a = P(); call("tiledb_array_alloc", uri, C.byref(a)); call("tiledb_array_open", a, INT(kind)); return a

def judge_schema(path, data):
    return {"back": serialized("tiledb_serialize_array_schema", schema_of(data), CAPNP, INT(0))}
def judge_array(path, data):
    a = P(); call("tiledb_deserialize_array", buffer(data), CAPNP, INT(1), b"tiledb://ns/a", C.byref(a))
    return {"back": serialized("tiledb_serialize_array", a, CAPNP, INT(1))}
def judge_fragments(path, data):
    info = P(); call("tiledb_fragment_info_alloc", b"tiledb://ns/a", C.byref(info))
    call("tiledb_deserialize_fragment_info", buffer(data), CAPNP, b"tiledb://ns/a", INT(1), info)
    def number(name, *at, kind=U64):
        n = kind(); call(name, info, *at, C.byref(n)); return n.value
    def text(name, i):
        s = C.c_char_p(); call(name, info, C.c_uint32(i), C.byref(s)); return s.value.decode()
    def name(i):
        h, s, n = P(), C.c_char_p(), C.c_size_t(); call("tiledb_fragment_info_get_fragment_name_v2", info, C.c_uint32(i), C.byref(h))
        L.tiledb_string_view(h, C.byref(s), C.byref(n)); return s.value[:n.value].decode()
    out = []
    for i in range(number("tiledb_fragment_info_get_fragment_num", kind=C.c_uint32)):
        at = C.c_uint32(i); t0, t1 = U64(), U64(); call("tiledb_fragment_info_get_timestamp_range", info, at, C.byref(t0), C.byref(t1))
        f = {"name": name(i), "uri": text("tiledb_fragment_info_get_fragment_uri", i), "schema": text("tiledb_fragment_info_get_array_schema_name", i),
             "size": number("tiledb_fragment_info_get_fragment_size", at), "times": [t0.value, t1.value],
             "dense": number("tiledb_fragment_info_get_dense", at, kind=C.c_int32), "version": number("tiledb_fragment_info_get_version", at, kind=C.c_uint32),
             "cells": number("tiledb_fragment_info_get_cell_num", at)}
        domain = (C.c_uint8 * 64)(); call("tiledb_fragment_info_get_non_empty_domain_from_index", info, at, C.c_uint32(0), domain); f["domain"] = bytes(domain[:16]).hex()
        if not f["dense"]:
            f["boxes"] = []
            for m in range(number("tiledb_fragment_info_get_mbr_num", at)):
                box = (C.c_uint8 * 64)(); call("tiledb_fragment_info_get_mbr_from_index", info, at, C.c_uint32(m), C.c_uint32(0), box); f["boxes"].append(bytes(box[:16]).hex())
        out.append(f)
    vacuum = []
    for i in range(number("tiledb_fragment_info_get_to_vacuum_num", kind=C.c_uint32)): vacuum.append(text("tiledb_fragment_info_get_to_vacuum_uri", i))
    return {"json": json.dumps({"fragments": out, "vacuum": vacuum}).encode()}
def judge_reply(path, data):
    ask = json.load(open(path[:-4] + ".ask")); schema = schema_of(open(os.path.join(source, ask["schema"]), "rb").read())
    a = opened(local_array(schema), ask["type"]); q = P()
    call("tiledb_query_alloc", a, INT(ask["type"]), C.byref(q)); call("tiledb_query_set_layout", q, INT(ask["layout"]))
    parts = {}
    for name, *sizes in ask["fields"]:
        for what, n in zip(("data", "offsets", "validity"), sizes):
            if n:
                space, size = (C.c_uint8 * n)(), U64(n); parts[name, what] = space, size
                call("tiledb_query_set_%s_buffer" % what, q, name.encode(), space, C.byref(size))
    call("tiledb_deserialize_query", buffer(data), CAPNP, INT(1), q)
    got = {}
    for (name, what), (space, size) in parts.items(): got.setdefault(name, {})[what] = bytes(space[:size.value]).hex()
    status = INT(); call("tiledb_query_get_status", q, C.byref(status))
    pieces, flat = P(), P(); call("tiledb_serialize_query", q, CAPNP, INT(1), C.byref(pieces)); call("tiledb_buffer_list_flatten", pieces, C.byref(flat))
    return {"json": json.dumps({"status": status.value, "fields": got}).encode(), "back": content(flat)}

source = sys.argv[1]
folder = tempfile.mkdtemp()
try:
    for path in sorted(glob.glob(os.path.join(source, "*.bin"))):
        try: out = globals()["judge_" + os.path.basename(path).split("-")[0]](path, open(path, "rb").read())
        except Refused as e: out = {"error": str(e).encode()}
        for kind, b in out.items():
            with open(path[:-4] + "." + kind, "wb") as f: f.write(b)
finally: shutil.rmtree(folder)

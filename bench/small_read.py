"""A single-cell read over REST: what the server takes, and what the client sees against canned replies.

    python bench/small_read.py AZULEJO [--reads 300] [--json FILE]

AZULEJO is the program. A dense array of 4096 x 4096 float64 in tiles of 512 x 512, zstd, is written through the server by
the unmodified client. Then one client opens the array and reads one cell, each time another, in rounds that alternate
between the server and a program that answers every request with the bytes that the server once sent, without looking at
it. The server's own time per operation comes from its log (the field "took").

Bars: the server's open and submit together at most 0.5 ms at the median; the client at most 1.3 times the canned one.
"""
import argparse
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np

PASSWORD = "bench bench bench"
SIDE, TILE = 4096, 512


class Canned:
    """Answers on loopback: with what target says, which is kept, or once frozen with what it said."""

    def __init__(self, target):
        self.target, self.frozen, self.kept = target, False, {}
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            conn, _ = self.listener.accept()
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    @staticmethod
    def message(conn, buffered):
        """Reads one HTTP message; returns it and what follows, or None at the end."""
        while b"\r\n\r\n" not in buffered:
            more = conn.recv(1 << 16)
            if not more:
                return None, b""
            buffered += more
        head, _, rest = buffered.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        want = int(length.group(1)) if length else 0
        body = bytearray(rest)
        while len(body) < want:
            body += conn.recv(1 << 20)
        return head + b"\r\n\r\n" + bytes(body[:want]), bytes(body[want:])

    def serve(self, conn):
        upstream, buffered, back = None, b"", b""
        while True:
            request, buffered = self.message(conn, buffered)
            if request is None:
                return
            key = request.split(b"?", 1)[0].split(b" HTTP", 1)[0]
            if not self.frozen:
                if upstream is None:
                    upstream = socket.create_connection(self.target)
                upstream.sendall(request)
                self.kept[key], back = self.message(upstream, back)
            conn.sendall(self.kept[key])


def canned_process(host, port):
    """Runs a Canned in this process; a line on stdin freezes it."""
    canned = Canned((host, int(port)))
    print(canned.url, flush=True)
    for _ in sys.stdin:
        canned.frozen = True
        print("frozen", flush=True)


class Server:
    """A server with a data directory of its own."""

    def __init__(self, program, directory):
        env = dict(os.environ, AZULEJO_ADMIN_PASSWORD=PASSWORD)
        self.log_path = os.path.join(directory, "log")
        self.log = open(self.log_path, "wb")
        self.process = subprocess.Popen([program, "serve", "--data", os.path.join(directory, "data"), "--listen", "127.0.0.1:0"],
                                        stdout=subprocess.PIPE, stderr=self.log, env=env)
        self.url = self.process.stdout.readline().decode().split()[-1]
        made = subprocess.run([program, "token", "create", "--data", os.path.join(directory, "data"), "--name", "bench"],
                              capture_output=True, check=True, text=True)
        self.token = made.stdout.split()[-1]

    def took(self):
        """Returns milliseconds by operation, in the order of the log."""
        times = {}
        with open(self.log_path, encoding="utf8") as lines:
            for line in lines:
                found = re.search(r"operation=(\S+) .*took=([\d.]+)(µs|ms|s)", line)
                if found:
                    unit = {"µs": 1e-3, "ms": 1, "s": 1e3}[found.group(3)]
                    times.setdefault(found.group(1), []).append(float(found.group(2)) * unit)
        return times

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self.log.close()


def context(tiledb, url, token):
    return tiledb.Ctx({"rest.server_address": url, "rest.token": token})


def build(tiledb, ctx):
    dims = [tiledb.Dim(n, domain=(0, SIDE - 1), tile=TILE, dtype=np.int32, ctx=ctx) for n in ("y", "x")]
    attr = tiledb.Attr("a", dtype=np.float64, filters=[tiledb.ZstdFilter(level=3, ctx=ctx)], ctx=ctx)
    uri = "tiledb://admin/small"
    tiledb.Array.create(uri, tiledb.ArraySchema(tiledb.Domain(*dims, ctx=ctx), [attr], ctx=ctx), ctx=ctx)
    rng = np.random.default_rng(7)
    values = np.cumsum(rng.integers(-3, 4, (SIDE, SIDE)), axis=1) * 0.25
    with tiledb.open(uri, "w", ctx=ctx) as array:
        array[:] = values
    return uri, values


def read_one(tiledb, uri, ctx, values, at):
    y, x = at
    start = time.perf_counter()
    with tiledb.open(uri, "r", ctx=ctx) as array:
        got = array[y:y + 1, x:x + 1]["a"]
    took = (time.perf_counter() - start) * 1e3
    if got[0, 0] != values[y, x]:
        raise SystemExit(f"wrong cell: {got} instead of {values[y, x]}")
    return took


def spread(times):
    return {"n": len(times), "min": round(min(times), 3), "p50": round(statistics.median(times), 3),
            "p95": round(sorted(times)[int(len(times) * 0.95)], 3)}


def main():
    if len(sys.argv) == 4 and sys.argv[1] == "canned":
        return canned_process(*sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("azulejo")
    parser.add_argument("--reads", type=int, default=300)
    parser.add_argument("--same-cell", action="store_true", help="read the same cell every time, which the cache then holds")
    parser.add_argument("--json")
    args = parser.parse_args()
    import tiledb
    with tempfile.TemporaryDirectory() as directory:
        server = Server(args.azulejo, directory)
        host, port = server.url.removeprefix("http://").split(":")
        canned = subprocess.Popen([sys.executable, os.path.abspath(__file__), "canned", host, port],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            canned_url = canned.stdout.readline().strip()
            uri, values = build(tiledb, context(tiledb, server.url, server.token))
            real, fake = context(tiledb, server.url, server.token), context(tiledb, canned_url, server.token)
            one = (1000, 700)
            for _ in range(10):
                read_one(tiledb, uri, real, values, one)
                read_one(tiledb, uri, fake, values, one)
            canned.stdin.write("freeze\n")
            canned.stdin.flush()
            canned.stdout.readline()
            skip = {op: len(times) for op, times in server.took().items()}
            seen, rng = {"server": [], "canned": []}, np.random.default_rng(11)
            for _ in range(args.reads // 20):
                for name, ctx in (("server", real), ("canned", fake)):
                    for _ in range(20):
                        at = one if args.same_cell or name == "canned" else tuple(rng.integers(0, SIDE, 2))
                        seen[name].append(read_one(tiledb, uri, ctx, values, at))
            server.process.poll()
            ops = {op: times[skip.get(op, 0):] for op, times in server.took().items()}
        finally:
            canned.stdin.close()
            canned.wait(10)
            server.stop()
    answer = {"operations_ms": {op: spread(t) for op, t in ops.items() if t},
              "client_ms": {name: spread(t) for name, t in seen.items()}}
    wanted = [op for op in ops if op == "openArray" or op.startswith("submitQuery")]
    for what in ("min", "p50"):
        answer["open_and_submit_" + what] = round(sum(answer["operations_ms"][op][what] for op in wanted if ops[op]), 3)
        answer["client_ratio_" + what] = round(answer["client_ms"]["server"][what] / answer["client_ms"]["canned"][what], 3)
    text = json.dumps(answer, indent=1)
    print(text)
    if args.json:
        with open(args.json, "w", encoding="utf8") as out:
            out.write(text + "\n")


if __name__ == "__main__":
    main()

"""Sixteen processes reading random windows from several servers, with the CPU time of each side.

    python bench/windows.py AZULEJO [--quick] [--rounds 3] [--seconds 10] [--peers azulejo,hsds,tiled,reference] [--json FILE]

The array, the windows and the client processes are those of the workload `concurrency` of ../shared/bench, which has no
CPU time per window: 8192 x 8192 doubles in chunks of 1024 x 1024, windows of 256 x 256, each checked. PYTHON needs that
harness's requirements, and pycapnp for the reference server. All servers run on loopback at once, those that are not
measured idle; they take turns, so that what else the machine does meets all of them.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SHARED = os.path.join(HERE, "..", "..", "shared")
sys.path.insert(0, os.path.join(SHARED, "bench"))

from azbench import data, procs, stores
from small_read import Server


def azulejo(program, work):
    server = Server(program, work)
    peer = stores.TileDBRest("azulejo", server.url, server.token, "file://" + os.path.join(work, "data", "storage"), "admin")
    # Arrays are made where the server puts them, not at a place of the client's.
    peer.new_uri = peer.uri
    peer.server_pid = server.process.pid
    return peer, server.stop


def reference(work):
    port, root = procs.free_port(), os.path.join(work, "root")
    schema = os.path.join(HERE, "..", "internal", "wire", "capnp", "rest.capnp")
    server = procs.Server([sys.executable, os.path.join(SHARED, "reference", "refserver.py"), str(port), root, "--schema", schema, "--quiet"],
                          os.path.join(work, "log"))
    server.wait_ready(lambda: not procs.port_is_free(port))
    peer = stores.TileDBRest("reference", f"http://127.0.0.1:{port}", "unused", "file://" + root, "ns", "storage")
    peer.server_pid = server.pid
    return peer, server.stop


def start(name, program, work):
    where = os.path.join(work, name)
    os.makedirs(where)
    peer, stop = azulejo(program, where) if name == "azulejo" else reference(where) if name == "reference" else (stores.parse(name), None)
    peer.start(where)
    return peer, stop or peer.stop


def turn(peer, windows, clients, seconds):
    """Lets all clients read for some seconds; returns the figures of both sides."""
    workers = []
    try:
        for seed in range(clients):
            p = subprocess.Popen([sys.executable, "-m", "azbench.client"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=procs.BENCH_DIR)
            workers.append(p)
            p.stdin.write(json.dumps({"store": peer.client_spec(), "array": "shared", "windows": windows, "seconds": seconds, "seed": seed}) + "\n")
            p.stdin.flush()
        for p in workers:
            if p.stdout.readline().strip() != "ready":
                raise SystemExit(f"{peer.name}: a client failed to start")
        mine = [p.pid for p in workers]
        server, client = procs.tree_cpu(peer.pids()), procs.tree_cpu(mine)
        with procs.RssSampler(peer.pids()) as rss:
            for p in workers:
                p.stdin.write("go\n")
                p.stdin.flush()
            answers = [json.loads(p.stdout.readline()) for p in workers]
            server, client = procs.tree_cpu(peer.pids()) - server, procs.tree_cpu(mine) - client
    finally:
        for p in workers:
            p.stdin.close()
            p.wait(60)
    took = sorted(t for a in answers for t in a["took"])
    if sum(a["wrong"] for a in answers):
        raise SystemExit(f"{peer.name}: wrong windows")
    return {"windows": len(took), "mib_per_s": sum(a["cells"] for a in answers) * 8 / 2**20 / max(a["wall"] for a in answers),
            "p50_ms": took[len(took) // 2] * 1e3, "p99_ms": took[len(took) * 99 // 100] * 1e3,
            "server_cpu_ms": server * 1e3 / len(took), "client_cpu_ms": client * 1e3 / len(took), "server_rss_mib": rss.peak / 2**20}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("azulejo")
    parser.add_argument("--quick", action="store_true", help="a sixteenth of the cells")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--peers", default="azulejo,hsds,tiled,reference")
    parser.add_argument("--json")
    args = parser.parse_args()
    n, tile = (2048, 512) if args.quick else (8192, 1024)
    full = data.plane_full(n, n)
    windows = [[*w, data.crc(full[w[0]:w[1], w[2]:w[3]])] for w in data.windows(n, n, 256, 64)]
    seen, stops = {}, []
    with tempfile.TemporaryDirectory() as work:
        os.environ["HOME"] = work
        try:
            peers = []
            for name in args.peers.split(","):
                peer, stop = start(name, os.path.abspath(args.azulejo), work)
                stops.append(stop)
                peer.put("shared", full, (tile, tile))
                peers.append(peer)
            for _ in range(args.rounds):
                for peer in peers:
                    seen.setdefault(peer.name, []).append(turn(peer, windows, args.clients, args.seconds))
                    print(peer.name, {k: round(v, 2) for k, v in seen[peer.name][-1].items()}, time.strftime("%H:%M:%S"), os.getloadavg()[0], file=sys.stderr, flush=True)
        finally:
            for stop in stops:
                stop()
    answer = {name: {k: round(statistics.median(r[k] for r in rows), 2) for k in rows[0]} for name, rows in seen.items()}
    text = json.dumps({"clients": args.clients, "side": n, "median_of_rounds": answer}, indent=1)
    print(text)
    if args.json:
        with open(args.json, "w", encoding="utf8") as out:
            out.write(text + "\n")


if __name__ == "__main__":
    main()

"""Writes images.json: images that libtiledb stored as WebP, and the bytes that it reads back. Run it in this folder."""

import base64, glob, json, os, struct, tempfile

import numpy as np
import tiledb

F = tiledb.WebpFilter.WebpInputFormat
LAYOUTS = {1: (F.WEBP_RGB, 3), 2: (F.WEBP_BGR, 3), 3: (F.WEBP_RGBA, 4), 4: (F.WEBP_BGRA, 4)}


def image(rng, h, w, depth, kind):
    if kind == "noise":
        return rng.integers(0, 256, (h, w * depth)).astype("u1")
    y, x = np.mgrid[0:h, 0 : w * depth]
    img = ((y * 5 + x * 2 + rng.integers(0, 16, y.shape)) % 256).astype("u1")
    if depth == 4:
        img[:, 3::4] = (y[:, 3::4] * 9 % 256) if kind == "alpha" else 255
    return img


def main():
    rng, out = np.random.default_rng(5), []
    for h, w in ((1, 1), (1, 2), (2, 1), (5, 7), (6, 8), (17, 33), (40, 18)):
        for layout, (fmt, depth) in LAYOUTS.items():
            for lossless in (False, True):
                for kind in ("smooth", "noise", "alpha")[: depth - 1]:
                    with tempfile.TemporaryDirectory() as d:
                        uri = os.path.join(d, "a")
                        dims = [tiledb.Dim(n, domain=(1, m), tile=m, dtype=np.uint32) for n, m in (("y", h), ("x", w * depth))]
                        f = tiledb.FilterList([tiledb.WebpFilter(fmt, 70.0, lossless)])
                        tiledb.Array.create(uri, tiledb.ArraySchema(tiledb.Domain(*dims), attrs=[tiledb.Attr("a", dtype=np.uint8, filters=f)]))
                        with tiledb.open(uri, "w") as a:
                            a[:] = image(rng, h, w, depth, kind)
                        with tiledb.open(uri) as a:
                            pixels = a[:]["a"] if isinstance(a[:], dict) else a[:]
                        (path,) = glob.glob(uri + "/__fragments/*/a0.tdb")
                        raw = open(path, "rb").read()
                        _, _, data, meta = struct.unpack_from("<QIII", raw)
                        file = raw[20 + meta : 20 + meta + data]
                    enc = lambda b: base64.b64encode(b).decode()
                    out.append({"Name": f"{h}x{w}/{layout}/{kind}/{'lossless' if lossless else 'lossy'}", "Height": h, "Width": w, "Layout": layout,
                                "File": enc(file), "Pixels": enc(pixels.tobytes())})
    with open("images.json", "w") as f:
        json.dump(out, f, indent=0)


main()

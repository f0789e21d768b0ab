#!/bin/sh
# Measures everything that docs/performance.md reports and writes it to a folder, on a quiet machine:
#     bench/all.sh PYTHON FOLDER [--quick]
# PYTHON has the tiledb package, matplotlib and the requirements of ../shared/bench. The curves go to docs/growth.png.
set -eu
python=$1
quick=${3:-}
out=$(mkdir -p "$2" && cd "$2" && pwd)
cd "$(dirname "$0")/.."
go build -o "$out/azulejo" ./cmd/azulejo
"$python" bench/small_read.py "$out/azulejo" --reads 2000 --json "$out/small-read.json"
"$python" bench/engines.py "$out/azulejo" --json "$out/engines.json" --markdown "$out/engines.md" $quick
if [ "$quick" ]; then
	"$python" bench/growth.py "$out/azulejo" --most-fragments 100 --most-tiles 10000 --rounds 1 --json "$out/growth.json"
else
	"$python" bench/growth.py "$out/azulejo" --most-tiles 10000000 --json "$out/growth.json" --png docs/growth.png
fi
for threads in 0 1; do
	"$python" ../shared/bench/bench.py run engine-dense engine-sparse engine-codecs $quick --set threads=$threads \
		--engine azulejo="$out/azulejo" --json "$out/harness-$threads.json"
	"$python" ../shared/bench/bench.py report "$out/harness-$threads.json" --base libtiledb --statistic min --out "$out/harness-$threads.md"
done

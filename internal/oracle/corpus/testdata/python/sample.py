"""Write the cases of a corpus whose names match one of several globs: sample.py OUTDIR SEED GLOB...

OUTDIR appears whole: it is made under another name and renamed, so that a broken run is not taken for a corpus."""
import fnmatch
import os
import shutil
import sys

import generate

out, seed, globs = sys.argv[1], sys.argv[2], sys.argv[3:]
made = out + ".part"
shutil.rmtree(made, ignore_errors=True)
generate.CASES = [c for c in generate.CASES if any(fnmatch.fnmatch(c[0], g) for g in globs)]
sys.argv = ["generate.py", made, "--seed", seed]
# Status 1 only says that libtiledb could not make some case; those are listed in the manifest.
generate.main()
# Absolute group members name the directory they were made in, so nothing is moved: a mark makes it count.
os.symlink(os.path.basename(made), out)

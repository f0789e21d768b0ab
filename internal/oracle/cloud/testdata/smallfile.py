"""A file of 3 MiB goes up by tiledb-cloud and comes down as a stream."""
import largeupload
from oracle import main

main([largeupload.scenario(3)])

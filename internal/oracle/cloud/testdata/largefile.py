"""A file of 300 MiB goes up by tiledb-cloud and comes down as a stream."""
import largeupload
from oracle import main

main([largeupload.scenario(300)])

"""The client over TLS: with the authority's certificate it works, without it nothing is sent."""
import os

import numpy as np
import tiledb
from oracle import Scenario, main, refused, same


class TLS(Scenario):
    def steps(self):
        yield "private authority", self.known
        yield "unknown authority", self.unknown

    def known(self):
        ctx = self.site.client(ssl__ca_file=os.path.join(os.path.dirname(self.site.dir), "ca.pem"))
        uri = self.site.uri("tls")
        tiledb.from_numpy(uri, np.arange(100000.0), ctx=ctx).close()
        with tiledb.open(uri, ctx=ctx) as a:
            same(a[:], np.arange(100000.0))

    def unknown(self):
        with refused():
            tiledb.open(self.site.uri("tls"), ctx=self.site.client(rest__retry_count="0"))


if __name__ == "__main__":
    main([TLS])

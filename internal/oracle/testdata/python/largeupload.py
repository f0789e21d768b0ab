"""A file of any size goes up by tiledb-cloud's upload and comes down by the server's download, a piece at a time."""
import hashlib
import os
import random
import urllib.request

import tiledb.cloud
from oracle import Scenario
from tiledb.cloud.files import utils as files


def scenario(megabytes):
    class LargeUpload(Scenario):
        ways, modes = ("ours",), ("server",)

        def steps(self):
            yield "ours/up and down", self.there_and_back

        def there_and_back(self):
            conf = self.site.conf
            tiledb.cloud.login(token=conf["token"], host=conf["server"], no_session=True)
            path, sent = os.path.join(self.site.dir, "large"), hashlib.sha256()
            noise = random.Random(megabytes)
            with open(path, "wb") as f:
                for _ in range(megabytes):
                    piece = noise.randbytes(1 << 20)
                    sent.update(piece)
                    f.write(piece)
            files.upload_file(path, f"tiledb://{self.site.namespace}/large")
            got = hashlib.sha256()
            request = urllib.request.Request(f"{conf['server']}/v1/files/{self.site.namespace}/large/download", headers={"X-TILEDB-REST-API-KEY": conf["token"]})
            with urllib.request.urlopen(request) as reply:
                while piece := reply.read(1 << 20):
                    got.update(piece)
            assert got.hexdigest() == sent.hexdigest()

    return LargeUpload

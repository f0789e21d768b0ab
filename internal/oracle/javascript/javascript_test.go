package javascript

import (
	"testing"
	"time"

	"azulejo/internal/oracle/launch"
)

// packages are the client and, in the versions it was made with, what it needs.
var packages = []string{
	"@tiledb-inc/tiledb-cloud@1.0.8", "axios@0.21.4", "capnp-ts@0.4.0", "capnpc-ts@0.4.0", "paralleljs@1.1.0", "save-file@2.3.1",
}

func TestClient(t *testing.T) {
	launch.Start(t, launch.Options{}).NodeScript(t, "testdata/client.js", 3*time.Minute, packages...)
}

package clients

import (
	"os"
	"strings"
	"testing"

	"azulejo/internal/oracle/launch"
	"azulejo/internal/oracle/pyenv"
)

// client is a release and what it lacks: the operations of parity.py that it refuses by itself, each with a part of what it says.
// Everything else has to work.
type client struct {
	name, requirements string
	settings           map[string]string
	lacks              map[string]string
}

const (
	noFiles  = "Unsupported URI scheme"
	noFrames = "No module named 'pandas'" // not installed: it is the largest of all packages
)

// clients are one release of each age of the protocol (docs/decisions/121-older-clients.md): TileDB-Py 0.20 has libtiledb 2.14, 0.27 has
// 2.21, 0.34 has 2.28.
var clients = []client{
	{"0.34.2", "tiledb==0.34.2\nnumpy==2.4.6\npackaging==26.3\n", nil, map[string]string{
		"data frames": noFrames,
		"files: write, read, size, list, copy, move, remove": noFiles, "arrays in folders: walk, move, remove": noFiles, "files in arrays": noFiles,
	}},
	{"0.27.1 by the routes of queries before 2.15", "tiledb==0.27.1\nnumpy==1.26.4\npackaging==26.3\n", map[string]string{
		"rest.use_refactored_array_open": "false", "rest.use_refactored_array_open_and_query_submit": "false",
	}, map[string]string{
		"data frames": noFrames, "current domain": "has no attribute 'set_current_domain'", "plan of consolidation": "has no attribute 'ConsolidationPlan'",
		"schemas of dimension labels":                        "Array does not exist", // it looks for them on its own disk
		"files: write, read, size, list, copy, move, remove": noFiles, "arrays in folders: walk, move, remove": noFiles, "files in arrays": noFiles,
	}},
	{"0.20.0", "tiledb==0.20.0\nnumpy==1.26.4\npackaging==26.3\n", nil, map[string]string{
		"aggregates": "has no attribute 'agg'", "data frames": noFrames, "enumerations": "unexpected keyword argument 'enum_label'",
		"current domain": "has no attribute 'set_current_domain'", "dimension labels": "has no attribute 'create_label_schema'",
		"schemas of dimension labels":  "has no attribute 'create_label_schema'",
		"deletes of fragments by time": noFiles, "deletes of fragments by name": "undefined symbol",
		"consolidation and vacuum of fragments":          "not supported for remote arrays",
		"consolidation of commits, footers and metadata": "not supported for remote arrays", "plan of consolidation": "has no attribute 'ConsolidationPlan'",
		"global order writes in several submits": "need to be tile-aligned", "writes field by field": "after initialization",
		"deletion of a group with its members": "invalid mode m",
		// With a local array it is the client that is wrong.
		"deletion of an array":                               `null instead of "array"`,
		"files: write, read, size, list, copy, move, remove": noFiles, "arrays in folders: walk, move, remove": noFiles, "files in arrays": noFiles,
	}},
}

func TestOlderClients(t *testing.T) {
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env, err := pyenv.EnsureOnly(t.Context(), os.Stderr, c.requirements, "tiledb")
			if err != nil {
				t.Fatal(err)
			}
			s := launch.Start(t, launch.Options{})
			done := 0
			for _, l := range s.Parity(t, env, c.settings) {
				done++
				lacks, known := c.lacks[l.Operation]
				switch {
				case known && !strings.Contains(l.Rest, lacks):
					t.Errorf("%s: over REST %q, not %q", l.Operation, l.Rest, lacks)
				case !known && (l.Rest != "yes" || l.Local != "yes"):
					t.Errorf("%s: local: %s; over REST: %s", l.Operation, l.Local, l.Rest)
				}
			}
			if want := 30; done < want {
				t.Errorf("%d operations were done, not %d or more", done, want)
			}
		})
	}
}

package cloud

import (
	"flag"
	"testing"
	"time"

	"azulejo/internal/oracle/launch"
)

var big = flag.Bool("cloud.big", false, "also upload and download a file of 300 MiB, with the memory of the server measured")

// peak is how much memory, in bytes, a server may have had that took and gave a large file.
const peak = 300 << 20

func TestFiles(t *testing.T) {
	launch.Start(t, launch.Options{}).Script(t, "testdata/files.py", 3*time.Minute)
}

// TestLargeFile has a server take and give a file while it holds little of it.
func TestLargeFile(t *testing.T) {
	s := launch.Start(t, launch.Options{Args: []string{"--query-memory", "64MiB", "--cache-memory", "32MiB"}})
	if *big {
		s.Script(t, "testdata/largefile.py", 7*time.Minute)
	} else {
		s.Script(t, "testdata/smallfile.py", 3*time.Minute)
	}
	n, err := s.PeakMemory()
	if err != nil || n > peak {
		t.Errorf("the server had %d MiB of memory at most, want %d at most (%v)", n>>20, peak>>20, err)
	}
	t.Logf("at most %d MiB of memory", n>>20)
}

// TestPeople runs docs/people.md.
func TestPeople(t *testing.T) {
	launch.Start(t, launch.Options{}).Script(t, "testdata/people.py", 3*time.Minute)
}

// TestCode keeps functions and task graphs with the client's own functions for them.
func TestCode(t *testing.T) {
	launch.Start(t, launch.Options{}).Script(t, "testdata/code.py", 3*time.Minute)
}

// TestPolicies shares parts of arrays and looks at them with every reader of the unmodified clients.
func TestPolicies(t *testing.T) {
	launch.Start(t, launch.Options{}).Script(t, "testdata/policies.py", 4*time.Minute)
}

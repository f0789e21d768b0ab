package rest

import (
	"testing"
	"time"

	"azulejo/internal/oracle/launch"
)

func TestClientPrograms(t *testing.T) {
	s := launch.Start(t, launch.Options{})
	t.Run("maintenance", func(t *testing.T) { s.Script(t, "testdata/maintenance.py", 3*time.Minute) })
	t.Run("groups", func(t *testing.T) { s.Script(t, "testdata/groups.py", 3*time.Minute) })
	t.Run("routes", func(t *testing.T) { s.Script(t, "testdata/routes.py", 3*time.Minute) })
	t.Run("json", func(t *testing.T) { s.Script(t, "testdata/jsonform.py", 3*time.Minute) })
	t.Run("writes", func(t *testing.T) { s.Script(t, "testdata/writes.py", 3*time.Minute) })
}

// TestAnswersInParts has a server with too little memory for one query's result.
func TestAnswersInParts(t *testing.T) {
	s := launch.Start(t, launch.Options{Args: []string{"--query-memory", "32MiB"}})
	s.Script(t, "testdata/reads.py", 3*time.Minute)
}

// TestGoesOnAfterACrash kills the server between the submits of one write, and of one read.
func TestGoesOnAfterACrash(t *testing.T) {
	o := launch.Options{Data: t.TempDir(), Allowed: t.TempDir()}
	s := launch.Front(t, o, launch.Start(t, o))
	t.Run("write", func(t *testing.T) { s.Script(t, "testdata/crash.py", 3*time.Minute) })
	t.Run("read", func(t *testing.T) { s.Script(t, "testdata/snapshots.py", 3*time.Minute) })
}

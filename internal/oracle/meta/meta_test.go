package meta

import (
	"testing"
	"time"

	"azulejo/internal/oracle/launch"
)

func TestClientPrograms(t *testing.T) {
	s := launch.Start(t, launch.Options{})
	t.Run("arrays", func(t *testing.T) { s.Script(t, "testdata/meta.py", 3*time.Minute) })
	t.Run("cloud", func(t *testing.T) { s.Script(t, "testdata/cloud.py", 3*time.Minute) })
	t.Run("groups", func(t *testing.T) { s.Script(t, "testdata/groups.py", 3*time.Minute) })
}

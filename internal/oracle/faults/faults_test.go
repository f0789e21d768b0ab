package faults

import (
	"testing"
	"time"

	"azulejo/internal/oracle/launch"
)

func TestClientPrograms(t *testing.T) {
	s := launch.Start(t, launch.Options{})
	t.Run("refusals", func(t *testing.T) { s.Script(t, "testdata/faults.py", 3*time.Minute) })
	t.Run("damage", func(t *testing.T) { s.Script(t, "testdata/damage.py", 5*time.Minute) })
}

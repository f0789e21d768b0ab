package basic

import (
	"testing"
	"time"

	"azulejo/internal/oracle/launch"
)

func TestClientPrograms(t *testing.T) {
	s := launch.Start(t, launch.Options{})
	t.Run("arrays", func(t *testing.T) { s.Script(t, "testdata/basic.py", 3*time.Minute) })
	t.Run("cells", func(t *testing.T) { s.Script(t, "testdata/cells.py", 3*time.Minute) })
}

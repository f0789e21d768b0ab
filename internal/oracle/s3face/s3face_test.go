package s3face

import (
	"testing"
	"time"

	"azulejo/internal/oracle/launch"
)

func TestClientPrograms(t *testing.T) {
	s := launch.Start(t, launch.Options{})
	t.Run("vfs", func(t *testing.T) { s.Script(t, "testdata/vfs.py", 3*time.Minute) })
	t.Run("boto", func(t *testing.T) { s.Script(t, "testdata/boto.py", 3*time.Minute) })
}

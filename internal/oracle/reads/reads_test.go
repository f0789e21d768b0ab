package reads

import (
	"testing"
	"time"

	"azulejo/internal/oracle/launch"
)

func TestClientPrograms(t *testing.T) {
	launch.Start(t, launch.Options{}).Script(t, "testdata/reads.py", 4*time.Minute)
}

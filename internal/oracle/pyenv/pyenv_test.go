package pyenv

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestEnsureGivesThePinnedClients(t *testing.T) {
	env, err := Ensure(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	out, err := Program{Path: env.Python, Args: []string{"-c", "import tiledb, tiledb.cloud.version as c; print(tiledb.version(), c.version)"}}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.TrimSpace(string(out.Stdout)), "(0, 36, 1) 0.14.4"; got != want {
		t.Errorf("clients are %s, want %s", got, want)
	}
}

func TestEveryRequirementIsPinnedExactly(t *testing.T) {
	for _, line := range strings.Fields(requirements) {
		if name, version, ok := strings.Cut(line, "=="); !ok || name == "" || version == "" {
			t.Errorf("requirement %q is not pinned", line)
		}
	}
}

func TestRunReportsFailureAndStopsLateProgramsWithTheirChildren(t *testing.T) {
	_, err := Program{Path: "/bin/sh", Args: []string{"-c", "echo broken >&2; exit 3"}}.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "broken") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("error of a failed run: %v", err)
	}
	started := time.Now()
	_, err = Program{Path: "/bin/sh", Args: []string{"-c", "sleep 60 & sleep 60"}, Limit: 200 * time.Millisecond}.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "took longer than 200ms") {
		t.Errorf("error of a late run: %v", err)
	}
	if took := time.Since(started); took > 30*time.Second {
		t.Errorf("a late run with a child was ended after %s", took)
	}
}

func TestLockedLetsOneInAtATime(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	var inside, most int
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			err := Locked(t.Context(), "test", func(string) error {
				mu.Lock()
				inside++
				most = max(most, inside)
				mu.Unlock()
				mu.Lock()
				inside--
				mu.Unlock()
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if most != 1 {
		t.Errorf("%d holders at once", most)
	}
	err := Locked(t.Context(), "test", func(string) error {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		return Locked(ctx, "test", func(string) error { return nil })
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for a held lock: %v", err)
	}
}

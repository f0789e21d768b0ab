package load

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"azulejo/internal/oracle/launch"
	"azulejo/internal/oracle/pyenv"
)

var (
	minutes     = flag.Float64("load.minutes", 0, "how long the server is loaded; 0 for a fixed number of reads and writes")
	killMinutes = flag.Float64("load.kill.minutes", 0, "how long the server is loaded and killed every 30 s; 0 for a few kills")
)

const (
	readers, writers = 16, 2
	// queryMemory, totalMemory and cacheMemory are the limits that the server is given, ownMemory what a server takes that
	// does nothing, with its program.
	queryMemory, totalMemory, cacheMemory, ownMemory = 64 << 20, 192 << 20, 32 << 20, 64 << 20
)

// plan is what testdata/load.py is told.
type plan struct {
	Server    string  `json:"server"`
	Token     string  `json:"token"`
	Namespace string  `json:"namespace"`
	Readers   int     `json:"readers"`
	Writers   int     `json:"writers"`
	Reads     int     `json:"reads"`
	Writes    int     `json:"writes"`
	Seconds   float64 `json:"seconds"`
	Faults    bool    `json:"faults"`
}

// outcome is what it answers.
type outcome struct {
	Seconds float64 `json:"seconds"`
	// Errors of processes that gave up, Retried the errors that were followed by another try, with their number.
	Errors  []string       `json:"errors"`
	Retried map[string]int `json:"retried"`
	// Roles has figures of all operations by the kind of process, times in seconds.
	Roles map[string]struct {
		Operations            int
		Least, P50, P99, Most float64
	} `json:"roles"`
	// Readers has for each reader the seconds since 1970 in which a read succeeded.
	Readers [][]int64 `json:"readers"`
	// Acked has the number of acknowledged writes per array and writer.
	Acked map[string][]int `json:"acked"`
}

// start starts a server with bounded memory.
func start(t *testing.T, o launch.Options) *launch.Server {
	t.Helper()
	o.Args = append(o.Args, "--query-memory", fmt.Sprint(queryMemory), "--total-memory", fmt.Sprint(totalMemory),
		"--cache-memory", fmt.Sprint(cacheMemory), "--log-level", "warn")
	return launch.Start(t, o)
}

// program prepares the client processes.
func program(t *testing.T, p plan) (pyenv.Program, string) {
	t.Helper()
	script, dir := filepath.Join("testdata", "load.py"), t.TempDir()
	if err := launch.DependOn(filepath.Dir(script)); err != nil {
		t.Fatal(err)
	}
	p.Namespace, p.Readers, p.Writers = launch.User, readers, writers
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	run := launch.Python(t).Script(nil, script, "load", dir, string(raw))
	run.Limit = time.Duration(p.Seconds)*time.Second + 10*time.Minute
	return run, filepath.Join(dir, "answers.json")
}

// run runs the client processes and returns their answer.
func run(ctx context.Context, p pyenv.Program, answers string) (out outcome, err error) {
	if _, err = p.Run(ctx); err != nil {
		return out, err
	}
	raw, err := os.ReadFile(answers)
	if err != nil {
		return out, err
	}
	return out, json.Unmarshal(raw, &out)
}

// report says what was done and fails the test for what went wrong.
func (o *outcome) report(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range o.Errors {
		t.Error(e)
	}
	t.Logf("%.0f s, writes acknowledged %v", o.Seconds, o.Acked)
	for role, x := range o.Roles {
		t.Logf("%s: %d operations, seconds least %.4f, p50 %.4f, p99 %.4f, most %.4f", role, x.Operations, x.Least, x.P50, x.P99, x.Most)
	}
	for text, n := range o.Retried {
		t.Logf("%d times tried again: %s", n, text)
	}
}

// within fails the test when the server once took more memory than it was configured for.
func within(t *testing.T, s *launch.Server) {
	t.Helper()
	most, err := s.PeakMemory()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the server's greatest resident size: %d MiB", most>>20)
	if limit := int64(totalMemory + cacheMemory + ownMemory); most > limit {
		t.Errorf("the server's resident size reached %d MiB, configured are %d", most>>20, limit>>20)
	}
}

func TestLoad(t *testing.T) {
	s := start(t, launch.Options{})
	p := plan{Server: s.URL, Token: s.Token, Reads: 40, Writes: 40}
	if *minutes > 0 {
		p.Seconds = *minutes * 60
	}
	script, answers := program(t, p)
	out, err := run(t.Context(), script, answers)
	out.report(t, err)
	within(t, s)
	if len(out.Retried) > 0 {
		t.Error("operations were tried again though nothing was killed")
	}
}

// TestKills kills the server under the same load and starts it again on its address: nothing acknowledged is lost, nothing
// shows by half, and every reader goes on by itself after every start.
func TestKills(t *testing.T) {
	every, p, kills := 3*time.Second, plan{Seconds: 15, Faults: true}, 3
	if *killMinutes > 0 {
		every, p.Seconds = 30*time.Second, *killMinutes*60
		kills = int(p.Seconds/every.Seconds()) - 1
	}
	o := launch.Options{Data: t.TempDir(), Allowed: t.TempDir()}
	s := start(t, o)
	p.Server, p.Token = s.URL, s.Token
	script, answers := program(t, p)
	var out outcome
	var failed error
	done := make(chan struct{})
	go func() {
		defer close(done)
		out, failed = run(t.Context(), script, answers)
	}()
	var starts []time.Time
	tick := time.NewTicker(every)
	defer tick.Stop()
	for ended := false; !ended; {
		select {
		case <-done:
			ended = true
		case <-tick.C:
			if len(starts) == kills {
				continue
			}
			within(t, s)
			if err := s.Kill(); err != nil {
				t.Fatal(err)
			}
			o.Listen = strings.TrimPrefix(s.URL, "http://")
			s = start(t, o)
			starts = append(starts, time.Now())
		}
	}
	out.report(t, failed)
	within(t, s)
	if len(starts) < kills {
		t.Errorf("the server was killed %d times, not %d", len(starts), kills)
	}
	recovered(t, &out, starts)
}

// recovered checks that every reader read something after each start of the server, before it was killed again.
func recovered(t *testing.T, out *outcome, starts []time.Time) {
	t.Helper()
	slowest := 0.0
	for i, from := range starts {
		until := int64(math.MaxInt64)
		if i+1 < len(starts) {
			until = starts[i+1].Unix()
			if *killMinutes == 0 {
				continue // a client that waits before it tries again may miss the short life of a server
			}
		}
		for r, seconds := range out.Readers {
			at := slices.IndexFunc(seconds, func(s int64) bool { return s > from.Unix() && s < until })
			if at < 0 {
				t.Errorf("reader %d read nothing after start %d", r, i+1)
				continue
			}
			slowest = max(slowest, float64(seconds[at]-from.Unix()))
		}
	}
	t.Logf("after a start the last reader went on within %.0f s", slowest)
}

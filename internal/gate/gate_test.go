package gate

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

const mib = 1 << 20

// waiter asks for room in the background and says when it was let in.
type waiter struct {
	pass chan *Pass
	err  chan error
}

// ask enters in the background and returns when the query waits or is in.
func ask(t *testing.T, g *Gate, ctx context.Context, who string, nBytes int64) *waiter {
	t.Helper()
	w := &waiter{make(chan *Pass, 1), make(chan error, 1)}
	before := g.Counts()
	go func() {
		p, err := g.Enter(ctx, who, nBytes)
		w.err <- err
		w.pass <- p
	}()
	for c := g.Counts(); c.Running+c.Waiting == before.Running+before.Waiting; c = g.Counts() {
		select {
		case err := <-w.err:
			w.err <- err
			return w
		default:
		}
	}
	return w
}

func (w *waiter) in() bool { return len(w.pass) > 0 }

// get waits until the query is in.
func (w *waiter) get(t *testing.T) *Pass {
	t.Helper()
	if err := <-w.err; err != nil {
		t.Fatal(err)
	}
	return <-w.pass
}

func TestSubjectsTakeTurns(t *testing.T) {
	g, ctx := New(Limits{Bytes: 80 * mib}), context.Background()
	first := ask(t, g, ctx, "heavy", 70*mib).get(t) // all of the lane
	var heavy []*waiter
	for range 10 {
		heavy = append(heavy, ask(t, g, ctx, "heavy", 70*mib))
	}
	light := []*waiter{ask(t, g, ctx, "light", 10*mib), ask(t, g, ctx, "light", 10*mib)}
	// A small query of the heavy one's own is not held up at all.
	ask(t, g, ctx, "heavy", 1000).get(t).Leave()
	if g.Counts() != (Counts{Bytes: 70 * mib, Running: 1, Waiting: 12}) {
		t.Fatalf("%+v", g.Counts())
	}
	first.Leave()
	light[0].get(t).Leave()
	light[1].get(t).Leave()
	for i, w := range heavy {
		p := w.get(t)
		for _, later := range heavy[i+1:] {
			if later.in() {
				t.Fatal("a later query was let in earlier")
			}
		}
		p.Leave()
	}
	if g.Counts() != (Counts{}) {
		t.Errorf("left over: %+v", g.Counts())
	}
}

// A large query that is next is not overtaken by smaller ones that would fit.
func TestNobodyOvertakesTheNext(t *testing.T) {
	g, ctx := New(Limits{Bytes: 80 * mib}), context.Background()
	first := ask(t, g, ctx, "a", 60*mib).get(t)
	large := ask(t, g, ctx, "b", 70*mib)
	later := ask(t, g, ctx, "c", 5*mib)
	if large.in() || later.in() {
		t.Error("let in without room, or out of turn")
	}
	first.Leave()
	p := large.get(t)
	if later.in() {
		t.Error("more memory booked than there is")
	}
	p.Leave()
	later.get(t).Leave()
}

func TestPlaces(t *testing.T) {
	g, ctx := New(Limits{Bytes: 80 * mib, Running: 1}), context.Background()
	first := ask(t, g, ctx, "a", 10*mib).get(t)
	second := ask(t, g, ctx, "b", 10*mib)
	if second.in() {
		t.Error("two compute at once")
	}
	first.Computed()
	second.get(t).Leave()
	if c := g.Counts(); c != (Counts{Bytes: 10 * mib}) {
		t.Errorf("%+v", c)
	}
	first.Computed()
	first.Leave()
	if g.Counts() != (Counts{}) {
		t.Errorf("left over: %+v", g.Counts())
	}
}

func TestWaitingIsBounded(t *testing.T) {
	g, ctx := New(Limits{Bytes: 80 * mib, Waiting: 3, WaitingEach: 2}), context.Background()
	first := ask(t, g, ctx, "a", 70*mib).get(t)
	waiting := []*waiter{ask(t, g, ctx, "a", 70*mib), ask(t, g, ctx, "a", 70*mib)}
	if _, err := g.Enter(ctx, "a", 70*mib); !errors.Is(err, ErrBusy) {
		t.Errorf("the third of one subject: %v", err)
	}
	waiting = append(waiting, ask(t, g, ctx, "b", 70*mib))
	if _, err := g.Enter(ctx, "b", 70*mib); !errors.Is(err, ErrBusy) {
		t.Errorf("the fourth of all: %v", err)
	}
	first.Leave()
	for _, w := range []*waiter{waiting[2], waiting[0], waiting[1]} {
		w.get(t).Leave()
	}
}

func TestWhoGoesAwayHoldsNothingUp(t *testing.T) {
	g := New(Limits{Bytes: 80 * mib})
	ctx, cancel := context.WithCancel(context.Background())
	first := ask(t, g, context.Background(), "a", 60*mib).get(t)
	gone := ask(t, g, ctx, "b", 70*mib)
	later := ask(t, g, context.Background(), "c", 5*mib)
	cancel()
	if err := <-gone.err; !errors.Is(err, context.Canceled) {
		t.Errorf("who went away: %v", err)
	}
	later.get(t).Leave()
	first.Leave()
	if g.Counts() != (Counts{}) {
		t.Errorf("left over: %+v", g.Counts())
	}
}

func TestGrow(t *testing.T) {
	g, ctx := New(Limits{Bytes: 80 * mib}), context.Background()
	p := ask(t, g, ctx, "a", 20*mib).get(t)
	if !p.Grow(40*mib) || p.Refused() {
		t.Error("free memory was not given")
	}
	if p.Grow(20*mib) || !p.Refused() {
		t.Error("memory given that is not there")
	}
	next := ask(t, g, ctx, "b", 20*mib)
	if p.Grow(1) {
		t.Error("memory given that another waits for")
	}
	p.Leave()
	next.get(t).Leave()
	if g.Counts() != (Counts{}) {
		t.Errorf("left over: %+v", g.Counts())
	}
}

// More than there is counts as all there is, and subjects come and go without leaving a trace.
func TestManySubjectsAndOversize(t *testing.T) {
	g := New(Limits{Bytes: 8 * mib})
	for i := range 3 * manySubjects {
		p, err := g.Enter(context.Background(), string(rune(i)), 1<<40)
		if err != nil || g.Counts().Bytes != 7*mib {
			t.Fatalf("%v, %+v", err, g.Counts())
		}
		p.Leave()
	}
	if n := len(g.lanes[0].subjects); n > manySubjects+1 {
		t.Errorf("%d subjects remembered", n)
	}
}

// Whatever the order of events, no more is booked than there is, and in the end all is free.
func TestLimitsHoldUnderLoad(t *testing.T) {
	g := New(Limits{Bytes: 16 * mib, Running: 3})
	var booked atomic.Int64
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(worker)))
			for range 500 {
				ctx, cancel := context.WithCancel(context.Background())
				if rng.IntN(4) == 0 {
					cancel()
				}
				n := rng.Int64N(14 * mib)
				p, err := g.Enter(ctx, string(rune('a'+worker%3)), n)
				if err == nil {
					if booked.Add(n) > 16*mib {
						t.Error("too much booked")
					}
					if rng.IntN(2) == 0 {
						p.Computed()
					}
					booked.Add(-n)
					p.Leave()
				}
				cancel()
			}
		})
	}
	all.Wait()
	if g.Counts() != (Counts{}) {
		t.Errorf("left over: %+v", g.Counts())
	}
}

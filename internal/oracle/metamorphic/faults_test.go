package metamorphic

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"azulejo/array"
	"azulejo/consolidate"
	"azulejo/vfs/faultfs"
	"azulejo/vfs/mem"
)

var (
	faultStories = flag.Int("metamorphic.faults", 20, "random arrays for the test of faults")
	faultsPerOp  = flag.Int("metamorphic.faults.each", 8, "faults per operation")
)

// TestFaults does every operation of random lists once more for faults in some of the storage operations that it takes,
// with the process going on or dying there: what a fresh process finds after a loss of power is the array before or after
// the operation, or, of an operation in several steps, after some of them; it can be checked, and the operation done again,
// and everything be consolidated and vacuumed, with what the operation should have given.
func TestFaults(t *testing.T) {
	begin := time.Now()
	stories, ops, faults := 0, 0, 0
	for i := range *faultStories {
		s := newStory(*seed + uint64(i))
		s.simple = plainStore | plainReads
		s.spreadOut()
		f := &faulter{rng: rand.New(rand.NewPCG(s.seed, 4))}
		p, err := f.play(s)
		stories, ops, faults = stories+1, ops+len(s.ops), faults+f.faults
		if err != nil {
			t.Errorf("seed %d: %v\n%s", s.seed, err, strings.Join(p.log, "\n"))
			return
		}
		if late(begin) {
			break
		}
	}
	t.Logf("%d arrays, %d operations, %d faults", stories, ops, faults)
}

// spreadOut gives all operations times of their own, out of order still: merged fragments have random names, which order
// those of one moment.
func (s *story) spreadOut() {
	had := map[uint64]bool{}
	for i := range s.ops {
		for had[s.ops[i].time] {
			s.ops[i].time++
		}
		had[s.ops[i].time] = true
	}
}

// faulter plays a story with faults.
type faulter struct {
	rng    *rand.Rand
	faults int
}

// on returns a player of the same array in another file system.
func (p *player) on(fs *mem.FS) *player {
	c := *p
	c.model = p.model.clone()
	c.fs, c.cache, c.log = fs, nil, nil
	return &c
}

func (f *faulter) play(s *story) (p *player, err error) {
	p = s.player("")
	p.cache = nil
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	if err := p.create(); err != nil {
		return p, err
	}
	for _, o := range s.ops {
		if o.kind == opAsk || o.kind == opTable {
			continue
		}
		before := p.fs.(*mem.FS).PowerLoss()
		from := p.on(before)
		counted := faultfs.New(before.PowerLoss(), nil)
		p.fs = counted
		lines := len(p.log)
		if err := p.do(o); err != nil {
			return p, err
		}
		after := p.on(nil)
		p.fs = innerOf(p, before, o, from)
		n := len(counted.Ops())
		for range min(n, *faultsPerOp) {
			k, action := f.rng.IntN(n), []faultfs.Action{faultfs.Fail, faultfs.FailAfter, faultfs.Torn}[f.rng.IntN(3)]
			plan, how := faultfs.Nth(k, action), "fault"
			if f.rng.IntN(2) == 0 {
				plan, how = faultfs.DeadFrom(k, action), "death"
			}
			op := counted.Ops()[k]
			if action == faultfs.Torn && op.Kind == "remove" {
				continue // a removal in pieces is more than a backend may do
			}
			f.faults++
			if err := f.break1(o, from, after, plan); err != nil {
				return p, fmt.Errorf("%s, action %d, at %v of %s: %w", how, action, op, strings.Join(p.log[lines:], "; "), err)
			}
		}
	}
	return p, nil
}

// innerOf does the operation on a file system without faults, for the story to go on with, as names are drawn anew.
func innerOf(p *player, before *mem.FS, o op, from *player) *mem.FS {
	disk := before.PowerLoss()
	again := from.on(disk)
	if err := again.do(o); err != nil {
		panic(err)
	}
	p.model, p.uri = again.model, again.uri
	return disk
}

// break1 does an operation with a fault and looks at what is left.
func (f *faulter) break1(o op, from, after *player, plan faultfs.Plan) error {
	disk := from.fs.(*mem.FS).PowerLoss()
	p := from.on(disk)
	p.fs = faultfs.New(disk, plan)
	opErr := p.do(o)
	left := disk.PowerLoss()
	candidates := append([]*model{from.model, after.model}, f.between(o, from, after)...)
	if opErr == nil {
		candidates = candidates[1:2]
	}
	uris := []string{from.uri}
	if after.uri != from.uri {
		uris = append(uris, after.uri)
	}
	found := ""
	var m *model
	for _, uri := range uris {
		if ok, err := array.Exists(p.ctx, left, uri); err != nil || !ok {
			continue
		}
		var errs []error
		var matched *model
		for _, c := range candidates {
			q := from.on(left)
			q.model, q.uri = c.clone(), uri
			if err := q.askAll(f.rng, f.times(o, q)...); err == nil {
				matched = c
				break
			} else {
				errs = append(errs, err)
			}
		}
		all := errors.Join(errs...)
		switch {
		case matched != nil:
			found, m = uri, matched
		case o.kind == opCopy && uri != from.uri && !errors.Is(all, errAnswer) && found != "":
			// The rest of a copy that broke off is no array that can be read.
		default:
			return fmt.Errorf("%s (%v): neither before nor after: %w", uri, opErr, all)
		}
	}
	if found == "" {
		return errors.New("the array is gone")
	}
	q := from.on(left)
	q.model, q.uri = m.clone(), found
	return f.repair(o, q, from.model, m, after, opErr != nil)
}

// times returns when to look: now, and at past times unless the operation takes the past away piece by piece.
func (f *faulter) times(o op, p *player) []uint64 {
	times := []uint64{epoch + 1000}
	if o.kind == opVacuum && p.dense() || o.kind == opDrop || o.kind == opDropNamed {
		return times
	}
	return append(times, epoch+uint64(f.rng.IntN(60)), epoch+uint64(f.rng.IntN(60)))
}

// between returns the models after some steps of an operation.
func (f *faulter) between(o op, from, after *player) (out []*model) {
	if o.kind != opDrop && o.kind != opDropNamed {
		return nil
	}
	var gone []*piece
	for name, q := range from.pieces {
		if after.pieces[name] == nil {
			gone = append(gone, q)
		}
	}
	slices.SortFunc(gone, func(a, b *piece) int { return strings.Compare(b.name, a.name) })
	m := from.model.clone()
	for _, q := range gone {
		delete(m.pieces, q.name)
		out = append(out, m.clone())
	}
	return out
}

// repair does the operation again on what is left and then all maintenance.
func (f *faulter) repair(o op, p *player, from, m *model, after *player, failed bool) error {
	again := failed && o.kind != opCopy && o.kind != opMerge && o.kind != opMergeNamed && (o.kind != opDropNamed || m == from) && (o.kind != opEvolve || len(m.shapes) < len(after.shapes)) &&
		(o.kind != opGroup || m == from)
	if again {
		if err := p.do(o); err != nil && !errors.Is(err, array.ErrInvalid) && !errors.Is(err, errDropped) {
			return fmt.Errorf("done again: %w", err)
		}
		p.model = after.model.clone()
	}
	if err := p.askAll(f.rng, epoch+1000); err != nil {
		return fmt.Errorf("done again: %w", err)
	}
	if err := p.do(op{kind: opWrite, seed: 5, time: 900}); err != nil {
		return fmt.Errorf("writing afterwards: %w", err)
	}
	for _, mode := range []consolidate.Mode{consolidate.ModeCommits, consolidate.ModeFragments, consolidate.ModeFragmentMeta, consolidate.ModeArrayMeta, consolidate.ModeCommits} {
		run := func() error {
			return consolidate.Run(p.ctx, p.fs, p.uri, mode, consolidate.Options{Key: p.spec.key, Threads: 1})
		}
		err := run()
		if errors.Is(err, consolidate.ErrBusy) && p.schema.AllowsDups {
			// What a dead consolidation announced is held for it until it is old: as if that time had gone by.
			if err = p.dropAnnounced(); err == nil {
				err = run()
			}
		}
		if err != nil {
			return fmt.Errorf("consolidating %v afterwards: %w", mode, err)
		}
		if err := consolidate.Vacuum(p.ctx, p.fs, p.uri, mode); err != nil {
			return fmt.Errorf("vacuuming %v afterwards: %w", mode, err)
		}
	}
	if err := p.askAll(f.rng, epoch+1000); err != nil {
		return fmt.Errorf("after writing, consolidating and vacuuming: %w", err)
	}
	return p.check()
}

// dropAnnounced removes what consolidations began that did not end.
func (p *player) dropAnnounced() error {
	list, err := array.ListCommits(p.ctx, p.fs, p.uri)
	if err != nil {
		return err
	}
	for i := range list.Pending {
		if err := list.Pending[i].Drop(p.ctx, p.fs, p.uri); err != nil {
			return err
		}
	}
	return nil
}

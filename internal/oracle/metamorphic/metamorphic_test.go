package metamorphic

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"azulejo/array"
	"azulejo/schema"
	"azulejo/vfs"
	"azulejo/vfs/bucket"
	"azulejo/vfs/faultfs"
	"azulejo/vfs/file"
	"azulejo/vfs/mem"
)

var (
	cases = flag.Int("metamorphic.cases", 250, "random arrays")
	seed  = flag.Uint64("metamorphic.seed", 1, "seed of the first random array; the others have those that follow")
	limit = flag.Duration("metamorphic.time", 0, "stop making arrays after this time, 0 for never")
)

// story is an array and what is done to it.
type story struct {
	seed   uint64
	simple int
	ops    []op
}

func newStory(seed uint64) *story {
	rng := rand.New(rand.NewPCG(seed, 1))
	s := &story{seed: seed}
	total := 0
	for _, w := range weights {
		total += w
	}
	clock := uint64(1)
	for range 4 + rng.IntN(22) {
		n, k := rng.IntN(total), kind(0)
		for ; n >= weights[k]; k++ {
			n -= weights[k]
		}
		clock += uint64(rng.IntN(4))
		o := op{kind: k, seed: rng.Uint64(), time: clock}
		if rng.IntN(4) == 0 {
			o.time = uint64(rng.IntN(int(clock))) // out of order
		}
		s.ops = append(s.ops, o)
	}
	return s
}

// player returns who plays the story in a directory for temporary files.
func (s *story) player(dir string) *player {
	rng := rand.New(rand.NewPCG(s.seed, 2))
	p := &player{model: newModel(newSpec(rng, s.simple)), ctx: context.Background(), simple: s.simple, threads: 1 + rng.IntN(2)}
	p.old = p.spec.key == nil && rng.IntN(10) == 0
	p.group.exists = rng.IntN(3) == 0
	if c := rng.IntN(3); c > 0 {
		p.cache = array.NewCache([]int64{0, 16 << 10, 16 << 20}[c])
	}
	switch c := rng.IntN(8); {
	case c == 0 && s.simple&plainStore == 0:
		p.fs, p.uri = vfs.FS(file.New()), filepath.Join(dir, fmt.Sprint("a", s.seed))
	case c == 1 && s.simple&plainStore == 0:
		store := faultfs.NewStore()
		o := store.Options()
		o.PartBytes = 2000
		p.fs, p.uri = bucket.New(store, o, "fake"), "fake://b/x"
	default:
		p.fs, p.uri = mem.New(), "mem://x"
	}
	p.groupURI = p.uri + "-group"
	return p
}

// play plays the story; the error is what is wrong.
func (s *story) play(dir string) (p *player, err error) {
	p = s.player(dir)
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	if err := p.create(); err != nil {
		return p, err
	}
	for _, o := range s.ops {
		if err := p.do(o); err != nil {
			return p, err
		}
	}
	rng := rand.New(rand.NewPCG(s.seed, 3))
	for range 4 {
		if err := p.ask(rng); err != nil {
			return p, err
		}
	}
	return p, p.check()
}

// check looks at every file of the array.
func (p *player) check() error {
	var damage []string
	_, err := array.Check(p.ctx, p.fs, p.uri, func(d array.Damage) { damage = append(damage, d.String()) }, p.key())
	if err == nil && damage != nil {
		err = fmt.Errorf("array check: %s", strings.Join(damage, "\n"))
	}
	return err
}

// shrink returns a shorter story that fails too.
func (s *story) shrink(fails func(*story) bool) *story {
	best := *s
	try := func(next story) bool {
		if !fails(&next) {
			return false
		}
		best = next
		return true
	}
	for again := true; again; {
		again = false
		for size := max(len(best.ops)/2, 1); size > 0; size /= 2 {
			for i := 0; i+size <= len(best.ops); {
				next := best
				next.ops = append(append([]op(nil), best.ops[:i]...), best.ops[i+size:]...)
				if try(next) {
					again = true
				} else {
					i++
				}
			}
		}
	}
	for bit := 1; bit < allSimple; bit *= 2 {
		next := best
		next.simple |= bit
		try(next)
	}
	for i := range best.ops {
		for _, n := range []int{1, 2, 4, 8} {
			next := best
			next.ops = append([]op(nil), best.ops...)
			next.ops[i].cells = n
			if best.ops[i].kind == opWrite && try(next) {
				break
			}
		}
	}
	return &best
}

func TestMetamorphic(t *testing.T) {
	dir := t.TempDir()
	begin := time.Now()
	played, ops, asked := 0, 0, 0
	for i := range *cases {
		s := newStory(*seed + uint64(i))
		p, err := s.play(dir)
		_ = errors.Join(os.RemoveAll(p.uri), os.RemoveAll(p.groupURI)) // best effort: the test's directory goes as a whole
		played, ops, asked = played+1, ops+len(s.ops), asked+p.asked
		if err != nil {
			tell(t, s, err)
		}
		if late(begin) {
			break
		}
	}
	t.Logf("%d arrays, %d operations, %d questions", played, ops, asked)
}

// late reports whether a run that was given a limit of time has had it.
func late(begin time.Time) bool { return *limit > 0 && time.Since(begin) > *limit }

// tries bounds the search for a short story that fails.
const tries = 500

// tell reports the shortest story that fails like one that failed.
func tell(t *testing.T, s *story, err error) {
	t.Helper()
	left := tries
	short := s.shrink(func(next *story) bool {
		if left--; left < 0 {
			return false
		}
		_, err := next.play(t.TempDir())
		return err != nil
	})
	p, last := short.play(t.TempDir())
	t.Errorf("seed %d: %v\nthe shortest list that fails, simplified %b: %v\n%s", s.seed, err, short.simple, last, strings.Join(p.log, "\n"))
}

// short prints an interval in milliseconds after epoch.
func short(at array.Interval) string {
	return fmt.Sprintf("[%d, %d]", int64(at.Start-epoch), int64(at.End-epoch))
}

// few prints the cells of a small write.
func few(sp *spec, cells []version) string {
	if len(cells) > 4 {
		return ""
	}
	var b strings.Builder
	for _, c := range cells {
		fmt.Fprintf(&b, " %v%v", c.at[:len(sp.dims)], c.values)
	}
	return b.String()
}

func describe(sp *spec) string {
	var b strings.Builder
	s := sp.schema
	fmt.Fprintf(&b, "type %d, duplicates %t, capacity %d, cell order %d, tile order %d, key %t, coords %v, offsets %v, validity %v", s.Type, s.AllowsDups, s.Capacity,
		s.CellOrder, s.TileOrder, sp.key != nil, s.CoordsFilters, s.OffsetsFilters, s.ValidityFilters)
	for i := range sp.dims {
		d := &sp.dims[i]
		fmt.Fprintf(&b, "\n  dimension %s %v: %d places from %x, extent %x, %v", d.Name, d.Type, d.n, d.coords[0], d.Extent, d.Filters)
	}
	for i := range sp.first {
		fmt.Fprintf(&b, "\n  %s", describeAttribute(&sp.first[i].Attribute))
	}
	for i := range s.Labels {
		fmt.Fprintf(&b, "\n  label %s of dimension %d, %v, order %d", s.Labels[i].Name, s.Labels[i].Dimension, s.Labels[i].Type, s.Labels[i].Order)
	}
	return b.String()
}

func describeAttribute(a *schema.Attribute) string {
	return fmt.Sprintf("attribute %s %v x %d, nullable %t, fill %x %t, %v", a.Name, a.Type, int32(a.CellValNum), a.Nullable, a.Fill, a.FillValid, a.Filters)
}

package metamorphic

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"azulejo/array"
	"azulejo/filter"
	"azulejo/vfs"
	"azulejo/vfs/mem"
)

var damages = flag.Int("metamorphic.damage", 200, "random arrays for the test of damage")

// telling are the kinds of files whose damage a checksum or their structure tells; what the others say can be changed into
// something else that is well formed.
var telling = map[string]bool{"schema": true, "enumeration": true, "fragment metadata": true, "data": true, ".del": true, "metadata": true, "footers": true}

// TestDamage turns bits of files and cuts them short, of every kind, in arrays whose pipelines all have checksums: a read
// errs, naming the file, or answers as before, and array.Check looks at the file without a panic.
func TestDamage(t *testing.T) {
	begin := time.Now()
	counts := map[string]*[4]int{}
	for i := range *damages {
		s := newStory(*seed + uint64(i))
		s.simple = plainStore | plainReads | checkedFilters
		p, err := s.play("")
		if err != nil {
			t.Fatalf("seed %d: %v", s.seed, err)
		}
		p.cache = nil
		rng := rand.New(rand.NewPCG(s.seed, 6))
		for range 20 {
			if err := p.damage(rng, counts); err != nil {
				t.Errorf("seed %d: %v\n%s", s.seed, err, strings.Join(p.log, "\n"))
				return
			}
		}
		if late(begin) {
			break
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		c := counts[kind]
		t.Logf("%s: %d damaged, %d found by the check, %d errors of reads, %d other answers", kind, c[0], c[1], c[2], c[3])
	}
}

// filesBelow returns all files of a folder.
func filesBelow(ctx context.Context, fs vfs.FS, dir string) (out []string) {
	list, err := fs.List(ctx, dir)
	if err != nil {
		panic(err)
	}
	for _, e := range list {
		if uri := vfs.Join(dir, e.Name); e.Dir {
			out = append(out, filesBelow(ctx, fs, uri)...)
		} else {
			out = append(out, uri)
		}
	}
	return out
}

// kindOf names the kind of a file.
func kindOf(uri string) string {
	dir, ext := path.Base(path.Dir(uri)), path.Ext(uri)
	switch {
	case dir == "__schema":
		return "schema"
	case dir == "__enumerations":
		return "enumeration"
	case path.Base(uri) == "__fragment_metadata.tdb":
		return "fragment metadata"
	case ext == ".tdb":
		return "data"
	case dir == "__fragment_meta":
		return "footers"
	case dir == "__meta" && ext == "":
		return "metadata"
	}
	return ext
}

// damage damages one file of a copy of the array.
func (p *player) damage(rng *rand.Rand, counts map[string]*[4]int) (err error) {
	disk := p.fs.(*mem.FS).PowerLoss()
	byKind := map[string][]string{}
	for _, f := range filesBelow(p.ctx, disk, p.uri) {
		byKind[kindOf(f)] = append(byKind[kindOf(f)], f)
	}
	kinds := slices.Sorted(maps.Keys(byKind))
	kind := kinds[rng.IntN(len(kinds))]
	file := byKind[kind][rng.IntN(len(byKind[kind]))]
	content, err := vfs.ReadAll(p.ctx, disk, file)
	if err != nil || len(content) == 0 {
		return err
	}
	how := "cut short"
	if rng.IntN(4) == 0 {
		content = content[:rng.IntN(len(content))]
	} else {
		bit := rng.IntN(8 * len(content))
		how = fmt.Sprintf("bit %d turned", bit)
		content[bit/8] ^= 1 << (bit % 8)
	}
	if err := errors.Join(disk.Remove(p.ctx, file), vfs.WriteAll(p.ctx, disk, file, content)); err != nil {
		return err
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s, %s: panic: %v\n%s", file, how, r, debug.Stack())
		}
	}()
	if counts[kind] == nil {
		counts[kind] = &[4]int{}
	}
	c := counts[kind]
	c[0]++
	found := false
	_, checkErr := array.Check(p.ctx, disk, p.uri, func(array.Damage) { found = true }, p.key())
	if found || checkErr != nil {
		c[1]++
	}
	q := *p
	q.fs = disk
	wrong := q.askAll(rng, epoch+1000)
	var layer interface{ Unwrap() error }
	switch {
	case wrong == nil:
	case errors.Is(wrong, errAnswer):
		c[3]++
		if telling[kind] {
			return fmt.Errorf("%s, %s, found by the check %t: %w", file, how, found, wrong)
		}
	case !errors.As(wrong, &layer) || !strings.Contains(wrong.Error(), path.Base(p.uri)):
		return fmt.Errorf("%s, %s: the error does not say where: %w", file, how, wrong)
	default:
		if c[2]++; !found && checkErr == nil {
			return fmt.Errorf("%s, %s: the check does not find what a read does: %w", file, how, wrong)
		}
	}
	return nil
}

// addChecksum puts a checksum behind a pipeline that has none at its end.
func addChecksum(p *filter.Pipeline) {
	if n := len(p.Filters); n > 0 && (p.Filters[n-1].Code == filter.ChecksumMD5 || p.Filters[n-1].Code == filter.ChecksumSHA256) {
		return
	}
	p.Filters = append(slices.Clone(p.Filters), filter.Plain(filter.ChecksumMD5))
}

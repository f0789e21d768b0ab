package fragment

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"azulejo/format"
	"azulejo/internal/pool"
	"azulejo/vfs"
)

// stretch is a part of a file that several reads of whole tiles will want, fetched by the first of them.
type stretch struct {
	off, n uint64

	mu sync.Mutex
	// what follows is guarded by mu: the bytes once they are here, how many reads are still to come, and whether they do
	// without.
	bytes *pool.Buffer
	left  int
	over  bool
}

// Far reports whether requests to the fragment's store cost so much that it pays to say ahead what will be read.
func (r *Reader) Far() bool { return vfs.IsFar(r.fs, r.uri) }

// Ahead tells which tiles of one kind of file will be read whole by Chunks, each as often as it is listed. On a backend far
// away those that lie close together are then fetched by one read, when the first of them is. The field must have
// been loaded. It is called before the reads begin. (Only near backends have lists in pages.)
func (s *Files) Ahead(f *Field, kind format.FileKind, tiles []uint64) {
	if !f.r.Far() {
		return
	}
	tiles = slices.Sorted(slices.Values(tiles))
	p, gap := f.places.Load(), uint64(vfs.GapBytes(f.r.fs, f.r.uri))
	var all []*stretch
	for i, tile := range tiles {
		off, n := p.extent(kind, tile)
		if i == 0 || off > all[len(all)-1].off+all[len(all)-1].n+gap || off+n > all[len(all)-1].off+readRun {
			if i > 0 && tile == tiles[i-1] { // a tile larger than a run
				all[len(all)-1].left++
				continue
			}
			all = append(all, &stretch{off: off})
		}
		last := all[len(all)-1]
		last.n, last.left = max(last.n, off+n-last.off), last.left+1
	}
	all = slices.DeleteFunc(all, func(r *stretch) bool { return r.left < 2 })
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ahead == nil {
		s.ahead = make(map[fileKey][]*stretch)
	}
	key := fileKey{f, kind}
	for _, r := range s.ahead[key] {
		r.drop(s) // of an earlier plan
	}
	s.ahead[key] = all
}

// stretchOf returns the stretch that holds a range of a file, or nil.
func (s *Files) stretchOf(key fileKey, off, n uint64) *stretch {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.ahead[key]
	i, _ := slices.BinarySearchFunc(all, off+1, func(r *stretch, at uint64) int { return cmp.Compare(r.off, at) })
	if i == 0 || off+n > all[i-1].off+all[i-1].n {
		return nil
	}
	return all[i-1]
}

// take copies a range out of the stretch into dst, fetching the stretch if it is not here; false means that the range has to
// be read by itself.
func (r *stretch) take(ctx context.Context, files *Files, file vfs.File, dst []byte, off uint64) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return false, nil
	}
	if r.bytes == nil {
		b, err := files.lend(int(r.n))
		if err != nil {
			r.over = true // there is no room for it, but for single tiles there may be
			return false, nil
		}
		if err := file.ReadAt(ctx, b.B, int64(r.off)); err != nil {
			files.giveBack(b, int(r.n))
			return false, err
		}
		r.bytes = b
	}
	copy(dst, r.bytes.B[off-r.off:])
	if r.left--; r.left == 0 {
		r.drop(files)
	}
	return true, nil
}

// drop gives the memory back.
func (r *stretch) drop(files *Files) {
	files.giveBack(r.bytes, int(r.n))
	r.bytes, r.over = nil, true
}

// dropAhead gives back what is left of all stretches.
func (s *Files) dropAhead() {
	for _, all := range s.ahead {
		for _, r := range all {
			r.drop(s)
		}
	}
	s.ahead = nil
}

package filter_test

import (
	"bytes"
	"errors"
	"testing"

	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/internal/bin"
)

// FuzzDecode reads stored pipelines: what was read is written and read again the same, and nothing else passes Check.
func FuzzDecode(f *testing.F) {
	seen := map[string]bool{}
	for _, v := range vectors(f) {
		if !seen[string(v.Pipeline)] {
			f.Add(v.Pipeline, uint8(v.Type), uint32(filter.Version))
		}
		seen[string(v.Pipeline)] = true
	}
	f.Fuzz(func(t *testing.T, b []byte, typ uint8, version uint32) {
		r := bin.NewReader(b)
		p := filter.Decode(r, version)
		if r.Err() != nil {
			return
		}
		var w bin.Writer
		p.Encode(&w)
		again := bin.NewReader(w.B)
		var w2 bin.Writer
		filter.Decode(again, filter.Version).Encode(&w2)
		if again.Err() != nil || !bytes.Equal(w.B, w2.B) {
			t.Fatalf("%x read again as %x, %v", w.B, w2.B, again.Err())
		}
		for _, s := range p.Filters {
			s.Level()
			s.Reinterpret()
			s.MaxWindow()
			s.Scaling()
			s.Image()
		}
		c, err := filter.NewCodec(p, datatype.Type(typ), 8)
		if (c == nil) != (err != nil) {
			t.Fatal(c, err)
		}
		if err == nil && p.Check(datatype.Type(typ), false) == nil {
			roundTrip(t, c, bytes.Repeat([]byte("01234567"), 9), p.Has(filter.FloatScale))
		}
	})
}

// roundTrip filters a tile, which filters may refuse, and reverses it. The tile of a lossy pipeline need not come back;
// filters that sit before the lossy one may even refuse what comes back to them.
func roundTrip(t *testing.T, c *filter.Codec, tile []byte, lossy bool) {
	disk, err := c.Forward(nil, tile)
	if err != nil {
		if !errors.Is(err, filter.ErrUnfilterable) {
			t.Fatal(err)
		}
		return
	}
	got := make([]byte, len(tile))
	err = c.Reverse(got, disk)
	if lossy && (err == nil || errors.Is(err, filter.ErrCorrupt)) {
		return
	}
	if err != nil || !bytes.Equal(got, tile) {
		t.Fatalf("%x came back as %x, %v", tile, got, err)
	}
}

// FuzzReverse reverses damaged tiles under every pipeline of the vectors: nothing panics, every error is ErrCorrupt.
func FuzzReverse(f *testing.F) {
	all := vectors(f)
	for i, v := range all {
		if len(v.Disk) < 2000 {
			f.Add(uint16(i), v.Disk, uint32(len(v.Raw)))
		}
	}
	f.Fuzz(func(t *testing.T, which uint16, disk []byte, n uint32) {
		if n > 1<<20 {
			return
		}
		v := all[int(which)%len(all)]
		c := v.codec(t)
		size, err := filter.OriginalSize(disk)
		if err != nil && !errors.Is(err, filter.ErrCorrupt) {
			t.Fatal(err)
		}
		if err := c.Reverse(make([]byte, n), disk); err != nil && !errors.Is(err, filter.ErrCorrupt) {
			t.Fatal(err)
		}
		if err == nil && size <= 1<<20 {
			if _, _, err := c.ReverseStrings(disk, int(n%1000)); err != nil && !errors.Is(err, filter.ErrCorrupt) {
				t.Fatal(err)
			}
		}
		chunks, err := filter.Chunks(disk)
		if err != nil {
			return
		}
		for _, chunk := range chunks {
			if chunk.NBytes > 1<<20 {
				continue
			}
			if err := c.ReverseChunk(make([]byte, chunk.NBytes), disk, chunk); err != nil && !errors.Is(err, filter.ErrCorrupt) {
				t.Fatal(err)
			}
		}
	})
}

// FuzzForward filters arbitrary tiles under every pipeline of the vectors; what is not refused comes back the same.
func FuzzForward(f *testing.F) {
	all := vectors(f)
	for i, v := range all {
		if len(v.Raw) < 500 {
			f.Add(uint16(i), v.Raw, []byte{1, 3, 0, 9})
		}
	}
	f.Fuzz(func(t *testing.T, which uint16, tile, lengths []byte) {
		v := all[int(which)%len(all)]
		c := v.codec(t)
		if v.Offsets == nil {
			roundTrip(t, c, tile[:len(tile)/v.Cell*v.Cell], v.pipeline(t).Has(filter.FloatScale))
			return
		}
		offsets, at := []uint64{0}, uint64(0)
		for _, l := range lengths {
			at = min(at+uint64(l)*uint64(v.Cell), uint64(len(tile)))
			offsets = append(offsets, at)
		}
		disk, err := c.ForwardVar(nil, tile, offsets)
		if err != nil {
			if !errors.Is(err, filter.ErrUnfilterable) {
				t.Fatal(err)
			}
			return
		}
		if !c.TakesOffsets() {
			got := make([]byte, len(tile))
			if err := c.Reverse(got, disk); err != nil || !bytes.Equal(got, tile) {
				t.Fatalf("%x came back as %x, %v", tile, got, err)
			}
			return
		}
		got, starts, err := c.ReverseStrings(disk, len(offsets))
		if err != nil || !bytes.Equal(got, tile) || !equal(starts, offsets) {
			t.Fatalf("%x %d came back as %x %d, %v", tile, offsets, got, starts, err)
		}
	})
}

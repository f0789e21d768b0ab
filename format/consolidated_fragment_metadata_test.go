package format

import (
	"bytes"
	"reflect"
	"slices"
	"testing"

	"azulejo/internal/bin"
)

func TestConsolidatedFragmentMetadata(t *testing.T) {
	list := []ConsolidatedFooter{{"__1_1_a_22", []byte("first")}, {"__2_2_b_22", nil}, {"__3_3_c_22", []byte("third")}}
	file, err := EncodeConsolidatedFragmentMetadata(list)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeConsolidatedFragmentMetadata(file)
	if err != nil || len(got) != 3 || got[1].Fragment != "__2_2_b_22" || string(got[0].Footer) != "first" || len(got[1].Footer) != 0 ||
		string(got[2].Footer) != "third" {
		t.Errorf("%+v, %v", got, err)
	}
	// Before version 9 names are absolute.
	w := &bin.Writer{}
	w.U32(1)
	w.U64(7)
	w.Bytes([]byte("s3://x/"))
	w.U64(27)
	if got, err := DecodeConsolidatedFragmentMetadata(tile(t, w.B)); err != nil || got[0].Fragment != "" {
		t.Errorf("%+v, %v", got, err)
	}
	for name, payload := range map[string][]byte{
		"count":    {255, 255, 255, 255, 0},
		"position": append(append([]byte{1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 'a'}, 3), make([]byte, 7)...),
		"end":      append(append([]byte{1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 'a'}, 99), make([]byte, 7)...),
	} {
		_, err := DecodeConsolidatedFragmentMetadata(tile(t, payload))
		if err == nil {
			t.Errorf("%s passed", name)
			continue
		}
		checkClass(t, err)
	}
}

func FuzzConsolidatedFragmentMetadata(f *testing.F) {
	for _, list := range [][]ConsolidatedFooter{nil, {{"__1_1_a_22", []byte("first")}, {"__2_2_b_22", []byte("second")}}} {
		file, err := EncodeConsolidatedFragmentMetadata(list)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(payloads(f, file, int64(len(file)))[0])
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		list, ok := roundTrip(t, tile(t, payload), DecodeConsolidatedFragmentMetadata, EncodeConsolidatedFragmentMetadata)
		if !ok {
			return
		}
		file, err := EncodeConsolidatedFragmentMetadata(list)
		if err != nil {
			t.Fatal(err)
		}
		again, err := DecodeConsolidatedFragmentMetadata(file)
		if err != nil || !reflect.DeepEqual(list, again) {
			t.Errorf("%v, then %v, %v", list, again, err)
		}
	})
}

// TestLoneFooters decodes every footer of the vectors apart from its file: the same, but for where it begins.
func TestLoneFooters(t *testing.T) {
	for _, v := range fragmentVectors(t) {
		whole, err := DecodeFooter(v.file, int64(len(v.file)), v.Version, always(v.schema))
		if err != nil {
			t.Fatalf("%s: %v", v.name, err)
		}
		if whole.Version < 3 {
			continue
		}
		lone, err := DecodeLoneFooter(bytes.Clone(v.file[whole.Start:whole.Start+whole.NBytes]), v.Version, always(v.schema))
		if err != nil {
			t.Fatalf("%s: %v", v.name, err)
		}
		if lone.Start != UnknownStart || lone.NumTiles() != whole.NumTiles() || !reflect.DeepEqual(lone.Parts, whole.Parts) ||
			!reflect.DeepEqual(lone.NonEmptyDomain, whole.NonEmptyDomain) || whole.Start+whole.NBytes+whole.LengthBytes() != int64(len(v.file)) {
			t.Errorf("%s: %+v\nwant %+v", v.name, lone, whole)
		}
		bounds := bounds(whole)
		for i, pos := range bounds[:len(bounds)-1] {
			for _, ascending := range []bool{whole.ascending, false} {
				whole.ascending, lone.ascending = ascending, ascending
				want := int64(bounds[i+1] - pos)
				if _, got := whole.PartExtent(pos); got != want {
					t.Errorf("%s: part %d has %d bytes, want %d", v.name, i, got, want)
				}
				if i == len(bounds)-2 {
					want = -1
				}
				if _, got := lone.PartExtent(pos); got != want {
					t.Errorf("%s: part %d of a lone footer has %d bytes, want %d", v.name, i, got, want)
				}
			}
		}
	}
}

// bounds returns where the parts begin, each place once, and where the footer does.
func bounds(f *Footer) []uint64 {
	single := f.single()
	all := append(single[:1:1], uint64(f.Start))
	if has(f.Version, summaryFeature) {
		all = append(all, f.Parts.Summary)
	}
	if has(f.Version, conditionsFeature) {
		all = append(all, f.Parts.ProcessedConditions)
	}
	for _, list := range f.positions() {
		all = append(all, list...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

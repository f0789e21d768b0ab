package array_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"azulejo/array"
	"azulejo/datatype"
	"azulejo/format"
	"azulejo/schema"
	"azulejo/vfs/file"
)

// look is what libtiledb says about an array in an interval; see testdata/make.py.
type look struct {
	At           [2]*uint64
	Attributes   []string
	Cells        []int32
	Domain       [][2]string
	Metadata     map[string]string
	Enumerations map[string][]string
}

func (l *look) interval() array.Interval {
	if l.At[1] == nil {
		return array.Latest()
	}
	return array.Interval{Start: *l.At[0], End: *l.At[1]}
}

func readLooks(t *testing.T) map[string][]look {
	t.Helper()
	content, err := os.ReadFile("testdata/expected.json")
	if err != nil {
		t.Fatal(err)
	}
	var looks map[string][]look
	if err := json.Unmarshal(content, &looks); err != nil {
		t.Fatal(err)
	}
	return looks
}

func vector(t *testing.T, name string) string {
	t.Helper()
	uri, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return uri
}

// TestOpenAsLibtiledb opens arrays that libtiledb wrote at many intervals and compares what libtiledb says about them.
func TestOpenAsLibtiledb(t *testing.T) {
	ctx := context.Background()
	cache := array.NewCache(1 << 20)
	for name, looks := range readLooks(t) {
		for _, want := range looks {
			t.Run(fmt.Sprintf("%s at %v", name, want.interval()), func(t *testing.T) {
				a, err := array.Open(ctx, file.New(), vector(t, name), want.interval(), array.WithCache(cache))
				if strings.HasPrefix(name, "deleted") && a == nil && errors.Is(err, array.ErrUnsupported) && want.interval().End > 3 {
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				compareLook(t, a, &want, strings.HasSuffix(name, "-times"))
			})
		}
	}
}

func compareLook(t *testing.T, a *array.Array, want *look, cells bool) {
	t.Helper()
	ctx := context.Background()
	var attributes []string
	for _, at := range a.Schema.Attributes {
		attributes = append(attributes, at.Name)
	}
	equal(t, "attributes", attributes, want.Attributes)
	var domain [][2]string
	for i, r := range a.NonEmptyDomain() {
		domain = append(domain, [2]string{coordinate(&a.Schema.Domain.Dimensions[i], r.Lo), coordinate(&a.Schema.Domain.Dimensions[i], r.Hi)})
	}
	equal(t, "non-empty domain", domain, want.Domain)
	entries, err := a.Metadata(ctx)
	if err != nil {
		t.Fatal(err)
	}
	metadata := map[string]string{}
	for _, e := range entries {
		metadata[e.Key] = e.Type.String() + " " + hex.EncodeToString(e.Value)
	}
	equal(t, "metadata", metadata, want.Metadata)
	for name, labels := range want.Enumerations {
		e, err := a.Enumeration(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i := range e.Len() {
			got = append(got, label(e, i))
		}
		equal(t, "enumeration "+name, got, labels)
	}
	if cells {
		equal(t, "cells", fragmentCells(a), want.Cells)
	}
}

// fragmentCells returns the cells that the snapshot's fragments cover, without those of consolidated fragments that hold
// the gaps between.
func fragmentCells(a *array.Array) []int32 {
	seen := map[int32]bool{}
	for _, f := range fragmentInfos(a) {
		r := f.NonEmptyDomain[0]
		for c := datatype.View[int32](r.Lo)[0]; c <= datatype.View[int32](r.Hi)[0]; c++ {
			// The vectors write two cells of every three.
			if f.Start == f.End || c%3 != 2 {
				seen[c] = true
			}
		}
	}
	cells := []int32{}
	for c := range seen {
		cells = append(cells, c)
	}
	sort.Slice(cells, func(i, j int) bool { return cells[i] < cells[j] })
	return cells
}

func coordinate(d *schema.Dimension, b []byte) string {
	if d.Var() {
		return "b'" + string(b) + "'"
	}
	return strconv.Itoa(int(datatype.View[int32](b)[0]))
}

func label(e *schema.Enumeration, i int) string {
	if e.Type == datatype.Int64 {
		return strconv.FormatInt(datatype.View[int64](e.Label(i))[0], 10)
	}
	return string(e.Label(i))
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if reflect.ValueOf(got).Len() == 0 && reflect.ValueOf(want).Len() == 0 {
		return
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %v, libtiledb has %v", what, got, want)
	}
}

func TestDeletionsOfSnapshot(t *testing.T) {
	for _, c := range []struct {
		name string
		at   array.Interval
		want int
	}{
		{"deleted", array.Latest(), 1}, {"deleted-consolidated", array.Latest(), 1}, {"deleted", array.Interval{End: 1}, 0}, {"dense-times", array.Latest(), 0},
	} {
		cache := array.NewCache(1 << 20)
		a, err := array.Open(context.Background(), file.New(), vector(t, c.name), c.at, array.WithCache(cache))
		if err != nil || len(a.Deletions()) != c.want {
			t.Fatalf("%s: %d deletions, %v", c.name, len(a.Deletions()), err)
		}
		again, err := array.Open(context.Background(), file.New(), a.URI, array.Latest(), array.WithCache(cache), array.WithFragments(a.Pin()))
		if err != nil || !slices.Equal(again.Pin(), a.Pin()) {
			t.Errorf("%s: pinned %v, opened %v: %v", c.name, a.Pin(), again.Pin(), err)
		}
		for i, d := range a.Deletions() {
			if d.Survives == nil || d.Survives != again.Deletions()[i].Survives || !strings.HasPrefix(d.Path, "__commits/__") || d.Time == 0 {
				t.Errorf("%s: deletion %+v, then %+v", c.name, d, again.Deletions()[i])
			}
		}
		_, err = array.Open(context.Background(), file.New(), a.URI, array.Latest(), array.WithFragments([]string{"__5_5_00000000000000000000000000000000_22.del"}))
		if !errors.Is(err, array.ErrSnapshotLost) {
			t.Errorf("%s: a delete that is gone: %v", c.name, err)
		}
	}
}

func TestSchemasOfAllTimes(t *testing.T) {
	ctx := context.Background()
	a, err := array.Open(ctx, file.New(), vector(t, "evolved"), array.Interval{End: 2000000000000})
	if err != nil {
		t.Fatal(err)
	}
	all, err := a.Schemas(ctx)
	if err != nil || len(all) != 3 {
		t.Fatalf("%d schemas, %v", len(all), err)
	}
	s, err := a.WithEnumerations(ctx, a.Schema)
	if err != nil || len(s.Enumerations) != 2 || a.Schema.Enumerations["sizes"] != nil {
		t.Errorf("enumerations %v, %v", s, err)
	}
	if _, err := a.Enumeration(ctx, "none"); !errors.Is(err, array.ErrInvalid) {
		t.Error(err)
	}
	for _, name := range []string{"../../x", "__1_1_00", "__1_2_00000000000000000000000000000000"} {
		if _, err := a.SchemaOf(ctx, name); err == nil {
			t.Errorf("schema %q was found", name)
		}
	}
	w, err := array.Open(ctx, file.New(), vector(t, "evolved"), array.Interval{End: 5}, array.ForWriting())
	if err != nil || len(w.Schema.Attributes) != 2 || w.Schema.Attributes[0].Name != "c" || w.Fragments() != nil {
		t.Errorf("for writing: %v, %v", w, err)
	}
}

func TestPinnedFragments(t *testing.T) {
	ctx := context.Background()
	open := func(name string, opts ...array.Option) (*array.Array, error) {
		return array.Open(ctx, file.New(), vector(t, name), array.Interval{End: math.MaxUint64 - 1}, opts...)
	}
	a, err := open("dense-times")
	if err != nil {
		t.Fatal(err)
	}
	pin := a.Pin()
	b, err := open("dense-times", array.WithFragments(pin[1:3]))
	if err != nil || !reflect.DeepEqual(b.Pin(), pin[1:3]) {
		t.Errorf("pinned %v, %v", b, err)
	}
	none, err := open("dense-times", array.WithFragments(nil))
	if err != nil || len(none.Fragments()) != 0 {
		t.Errorf("pinned to nothing: %v, %v", none, err)
	}
	n, _ := format.ParseName(pin[0])
	n.UUID = strings.Repeat("0", 32)
	if _, err = open("dense-times", array.WithFragments([]string{n.String()})); !errors.Is(err, array.ErrSnapshotLost) {
		t.Error(err)
	}
	// A fragment that was consolidated meanwhile stays readable until it is vacuumed.
	c, err := open("consolidated-times")
	if err != nil || len(c.Vacuumed()) != 3 {
		t.Fatalf("%v, %v", c.Vacuumed(), err)
	}
	d, err := open("consolidated-times", array.WithFragments(c.Vacuumed()))
	if err != nil || len(d.Fragments()) != 3 {
		t.Errorf("%v, %v", d, err)
	}
}

// fragmentInfos returns the infos of a snapshot whose files are all there.
func fragmentInfos(a *array.Array) []array.FragmentInfo {
	infos, _ := a.FragmentInfos(context.Background()) // nil when a file is missing
	return infos
}

package metadata_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"azulejo/datatype"
	"azulejo/format"
	"azulejo/metadata"
	"azulejo/vfs"
	"azulejo/vfs/mem"
)

const dir = "/a/__meta"

func put(t *testing.T, fs vfs.FS, millis uint64, entries ...format.MetadataEntry) string {
	t.Helper()
	name, err := metadata.Put(context.Background(), fs, dir, entries, millis, nil)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func number(key string, v byte) format.MetadataEntry {
	return format.MetadataEntry{Key: key, Type: datatype.Uint8, Num: 1, Value: []byte{v}}
}

func load(t *testing.T, fs vfs.FS, start, end uint64) string {
	t.Helper()
	entries, err := metadata.Load(context.Background(), fs, dir, metadata.Interval{Start: start, End: end}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range entries {
		b.WriteString(e.Key)
		b.WriteByte('0' + e.Value[0])
	}
	return b.String()
}

func TestFilesApplyInOrder(t *testing.T) {
	fs := mem.New()
	put(t, fs, 9, number("a", 1), number("b", 1))
	put(t, fs, 10, number("b", 2), number("b", 3), number("c", 1))
	put(t, fs, 10, format.MetadataEntry{Key: "a", Deleted: true}, number("c", 2))
	put(t, fs, 12, number("a", 4))
	if put(t, fs, 13) != "" {
		t.Error("a file without entries was written")
	}
	for _, c := range []struct {
		start, end uint64
		want       string
	}{{0, 8, ""}, {0, 9, "a1b1"}, {0, 10, "b3c2"}, {0, 12, "a4b3c2"}, {10, 11, "b3c2"}, {11, 20, "a4"}, {13, 20, ""}} {
		if got := load(t, fs, c.start, c.end); got != c.want {
			t.Errorf("%d to %d: %s, want %s", c.start, c.end, got, c.want)
		}
	}
}

func TestVacuumFilesHide(t *testing.T) {
	ctx := context.Background()
	fs := mem.New()
	first, second := put(t, fs, 1, number("a", 1)), put(t, fs, 2, format.MetadataEntry{Key: "a", Deleted: true})
	all := format.Name{Start: 1, End: 2, UUID: "00000000000000000000000000000000"}.String()
	content, err := format.EncodeMetadata([]format.MetadataEntry{number("x", 5)})
	if err != nil {
		t.Fatal(err)
	}
	lines, err := format.EncodeLines([]string{"/__meta/" + first, "/old/place/__meta/" + second})
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(vfs.WriteAll(ctx, fs, vfs.Join(dir, all), content), vfs.WriteAll(ctx, fs, vfs.Join(dir, all+".vac"), lines),
		vfs.WriteAll(ctx, fs, vfs.Join(dir, "__3_3_00000000000000000000000000000000.tmp"), []byte("half")))
	if err != nil {
		t.Fatal(err)
	}
	for end, want := range map[uint64]string{1: "a1", 2: "x5", 9: "x5"} {
		if got := load(t, fs, 0, end); got != want {
			t.Errorf("at %d: %s, want %s", end, got, want)
		}
	}
}

func TestFaults(t *testing.T) {
	ctx := context.Background()
	for _, e := range []format.MetadataEntry{
		{Key: "k", Type: datatype.Any},
		{Key: "k", Type: 200},
		{Key: "k", Type: datatype.Int32, Num: 1, Value: []byte{1}},
	} {
		if _, err := metadata.Put(ctx, mem.New(), dir, []format.MetadataEntry{e}, 1, nil); !errors.Is(err, metadata.ErrInvalid) {
			t.Errorf("%+v: %v", e, err)
		}
	}
	for _, name := range []string{"x", "__1_1_00000000000000000000000000000000", "__1_1_00000000000000000000000000000000.vac"} {
		fs := mem.New()
		if err := vfs.WriteAll(ctx, fs, vfs.Join(dir, name), []byte("junk")); err != nil {
			t.Fatal(err)
		}
		_, err := metadata.Load(ctx, fs, dir, metadata.Latest(), nil)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestIntervals(t *testing.T) {
	i := metadata.Interval{Start: 5, End: 9}
	got := []bool{i.Contains(5, 9), i.Contains(4, 6), i.Contains(6, 10), i.Overlaps(1, 5), i.Overlaps(9, 12), i.Overlaps(1, 4), i.Overlaps(10, 11)}
	if want := []bool{true, false, false, true, true, false, false}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	if r := metadata.Latest().Resolve(); r.End == metadata.Now || r.End < 1700000000000 || i.Resolve() != i {
		t.Errorf("resolved %v", r)
	}
}

// FuzzLoad puts one file of any name and content into a metadata folder.
func FuzzLoad(f *testing.F) {
	content, err := format.EncodeMetadata([]format.MetadataEntry{number("a", 1), {Key: "b", Deleted: true}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("__1_1_00000000000000000000000000000000", content)
	f.Add("__1_1_00000000000000000000000000000000.vac", []byte("/__meta/x\n"))
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		ctx := context.Background()
		fs := mem.New()
		if vfs.WriteAll(ctx, fs, vfs.Join(dir, name), content) != nil {
			return
		}
		_, _ = metadata.Load(ctx, fs, dir, metadata.Latest(), nil)
	})
}

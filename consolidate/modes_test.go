package consolidate_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"azulejo/array"
	"azulejo/consolidate"
	"azulejo/datatype"
	"azulejo/format"
	"azulejo/group"
	"azulejo/schema"
	"azulejo/vfs"
	"azulejo/vfs/faultfs"
	"azulejo/vfs/mem"
)

func ran(t testing.TB, fs vfs.FS, m consolidate.Mode) {
	t.Helper()
	must(t, consolidate.Run(context.Background(), fs, uri, m, consolidate.Options{}))
}

// kinds counts the files of a folder by extension.
func kinds(t testing.TB, fs vfs.FS, dir string) string {
	t.Helper()
	n := map[string]int{}
	for _, name := range names(t, fs, dir) {
		n[name[strings.LastIndexByte(name, '.')+1:]]++
	}
	return fmt.Sprint(n)
}

// TestCommits merges commits, those of deletes too, again after their own files are gone, and takes out those of fragments
// that were merged and vacuumed.
func TestCommits(t *testing.T) {
	ctx := context.Background()
	fs := newArray(t, schema.Sparse, false, append(threeWrites(schema.Sparse), deleted(15, 1004))...)
	times := []uint64{9, 10, 15, 20, 30}
	want := history(t, fs, times...)
	step := func(what, files string) {
		t.Helper()
		if got := history(t, fs, times...); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", what, got, want)
		}
		if got := kinds(t, fs, "__commits"); got != files {
			t.Errorf("%s: files %s, want %s", what, got, files)
		}
		intact(t, fs)
	}
	ran(t, fs, consolidate.ModeCommits)
	step("merged", "map[con:1 del:1 wrt:3]")
	ran(t, fs, consolidate.ModeCommits)
	step("merged again", "map[con:1 del:1 wrt:3]")
	vacuumed(t, fs, consolidate.ModeCommits)
	step("vacuumed", "map[con:1]")
	must(t, write(ctx, fs, 40, 20))
	want = history(t, fs, times...)
	ran(t, fs, consolidate.ModeCommits)
	step("merged with files that are gone", "map[con:2 wrt:1]")
	vacuumed(t, fs, consolidate.ModeCommits)
	step("vacuumed again", "map[con:1]")
	merged(t, fs, consolidate.Options{})
	step("fragments merged", "map[con:1 vac:1 wrt:1]")
	vacuumed(t, fs, consolidate.ModeFragments)
	step("fragments vacuumed", "map[con:1 ign:1 wrt:1]")
	ran(t, fs, consolidate.ModeCommits)
	vacuumed(t, fs, consolidate.ModeCommits)
	step("all in one", "map[con:1]")
}

// TestFragmentMetadata opens an array by a file of merged footers: no footer of a fragment is read.
func TestFragmentMetadata(t *testing.T) {
	ctx := context.Background()
	for _, kind := range []schema.ArrayType{schema.Dense, schema.Sparse} {
		fs := newArray(t, kind, false, threeWrites(kind)...)
		for millis := range uint64(17) {
			must(t, write(ctx, fs, 31+millis%2, int32(millis+1)))
		}
		want := history(t, fs, 10, 20, 30)
		ran(t, fs, consolidate.ModeFragmentMeta)
		counted := faultfs.New(fs, nil)
		a, err := array.Open(ctx, counted, uri, array.Latest())
		must(t, err)
		for _, o := range counted.Ops() {
			if strings.Contains(o.URI, "__fragments") {
				t.Errorf("opening did %v", o)
			}
		}
		if got := history(t, fs, 10, 20, 30); got != want {
			t.Errorf("merged:\n%s\nwant\n%s", got, want)
		}
		infos, err := a.FragmentInfos(ctx)
		must(t, err)
		must(t, write(ctx, fs, 40, 19, 20))
		a, err = array.Open(ctx, fs, uri, array.Latest())
		must(t, err)
		now, err := a.FragmentInfos(ctx)
		must(t, err)
		if len(now) != 21 || !now[0].ConsolidatedMetadata || now[20].ConsolidatedMetadata || infos[0].NBytes != now[0].NBytes || now[0].NBytes < 400 {
			t.Errorf("infos %+v", now)
		}
		want = history(t, fs, 10, 20, 30)
		ran(t, fs, consolidate.ModeFragmentMeta)
		vacuumed(t, fs, consolidate.ModeFragmentMeta)
		if got := kinds(t, fs, "__fragment_meta"); got != "map[meta:1]" {
			t.Errorf("files %s", got)
		}
		merged(t, fs, consolidate.Options{Amplification: 2})
		vacuumed(t, fs, consolidate.ModeFragments)
		intact(t, fs)
		if got, last := history(t, fs), want[strings.LastIndexByte(want, '\n')+1:]; got != last {
			t.Errorf("merged:\n%s\nwant\n%s", got, last)
		}
	}
}

// TestDamagedFragmentMetadata flips bytes of the file of merged footers: the array reads as before, from the fragments.
func TestDamagedFragmentMetadata(t *testing.T) {
	ctx := context.Background()
	fs := newArray(t, schema.Sparse, false, threeWrites(schema.Sparse)...)
	for millis := range uint64(14) {
		must(t, write(ctx, fs, 31+millis, int32(millis+1)))
	}
	want := history(t, fs)
	ran(t, fs, consolidate.ModeFragmentMeta)
	file := vfs.Join(uri, "__fragment_meta", names(t, fs, "__fragment_meta")[0])
	good, err := vfs.ReadAll(ctx, fs, file)
	must(t, err)
	for i := range good {
		bad := append([]byte(nil), good...)
		bad[i] ^= 1 << (i % 8)
		must(t, fs.Remove(ctx, file))
		must(t, vfs.WriteAll(ctx, fs, file, bad))
		if got, err := content(ctx, fs, array.Interval{End: array.Now - 1}); err == nil && !strings.HasSuffix(want, got) {
			t.Fatalf("byte %d: %s\nwant %s", i, got, want)
		}
	}
}

func put(ctx context.Context, fs vfs.FS, millis uint64, key string, v int32, gone ...string) error {
	a, err := array.Open(ctx, fs, uri, array.Latest(), array.SchemaOnly())
	if err != nil {
		return err
	}
	entries := []format.MetadataEntry{{Key: key, Type: datatype.Int32, Num: 1, Value: i32s(v)}}
	for _, k := range gone {
		entries = append(entries, format.MetadataEntry{Key: k, Deleted: true})
	}
	return a.PutMetadata(ctx, entries, millis)
}

// metadataAt is an array's metadata at a time.
func metadataAt(t testing.TB, fs vfs.FS, end uint64) string {
	t.Helper()
	a, err := array.Open(context.Background(), fs, uri, array.Interval{End: end}, array.SchemaOnly())
	must(t, err)
	entries, err := a.Metadata(context.Background())
	must(t, err)
	text := ""
	for _, e := range entries {
		text += fmt.Sprintf("%s=%d ", e.Key, e.Value[0])
	}
	return text
}

func TestArrayMetadata(t *testing.T) {
	ctx := context.Background()
	fs := newArray(t, schema.Dense, false)
	must(t, put(ctx, fs, 10, "a", 1))
	ran(t, fs, consolidate.ModeArrayMeta)
	must(t, put(ctx, fs, 20, "b", 2))
	must(t, put(ctx, fs, 30, "c", 3, "a"))
	ran(t, fs, consolidate.ModeArrayMeta)
	if got := names(t, fs, "__meta"); len(got) != 5 || metadataAt(t, fs, 30) != "b=2 c=3 " || metadataAt(t, fs, 20) != "a=1 b=2 " {
		t.Errorf("%v: %s, before %s", got, metadataAt(t, fs, 30), metadataAt(t, fs, 20))
	}
	vacuumed(t, fs, consolidate.ModeArrayMeta)
	if got := names(t, fs, "__meta"); len(got) != 1 || metadataAt(t, fs, 30) != "b=2 c=3 " {
		t.Errorf("%v: %s", got, metadataAt(t, fs, 30))
	}
	must(t, put(ctx, fs, 40, "d", 4, "b", "c"))
	must(t, put(ctx, fs, 50, "d", 5, "d"))
	ran(t, fs, consolidate.ModeArrayMeta)
	vacuumed(t, fs, consolidate.ModeArrayMeta)
	if got := names(t, fs, "__meta"); len(got) != 0 || metadataAt(t, fs, 60) != "" {
		t.Errorf("nothing is left, but %v: %s", got, metadataAt(t, fs, 60))
	}
}

func TestGroupMetadata(t *testing.T) {
	ctx := context.Background()
	fs := mem.New()
	must(t, group.Create(ctx, fs, uri))
	for i := range 3 {
		g, err := group.Open(ctx, fs, uri, group.Latest())
		must(t, err)
		must(t, g.PutMetadata(ctx, []format.MetadataEntry{{Key: fmt.Sprint("k", i), Type: datatype.Int32, Num: 1, Value: i32s(int32(i))}}, uint64(10+i)))
	}
	ran(t, fs, consolidate.ModeGroupMeta)
	vacuumed(t, fs, consolidate.ModeGroupMeta)
	g, err := group.Open(ctx, fs, uri, group.Latest())
	must(t, err)
	entries, err := g.Metadata(ctx)
	must(t, err)
	if left := names(t, fs, "__meta"); len(entries) != 3 || len(left) != 1 || !strings.HasPrefix(left[0], "__10_12_") {
		t.Errorf("%v, %d entries", left, len(entries))
	}
}

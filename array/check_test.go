package array_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"azulejo/array"
	"azulejo/datatype"
	"azulejo/schema"
	"azulejo/vfs"
	"azulejo/vfs/file"
	"azulejo/vfs/mem"
)

// replace changes the content of a file.
func replace(t *testing.T, fs vfs.FS, uri string, content []byte) {
	t.Helper()
	must(t, errors.Join(fs.Remove(context.Background(), uri), vfs.WriteAll(context.Background(), fs, uri, content)))
}

func check(t *testing.T, fs vfs.FS, uri string) []array.Damage {
	t.Helper()
	var found []array.Damage
	sum, err := array.Check(context.Background(), fs, uri, func(d array.Damage) { found = append(found, d) })
	must(t, err)
	if sum.Damaged != len(found) {
		t.Errorf("%d reported, %d counted", len(found), sum.Damaged)
	}
	return found
}

func TestCheckOfGoodArrays(t *testing.T) {
	for name, want := range map[string]string{
		"dense-times": "", "evolved": "", "consolidated-times": "", "ignored-times": "", "hollow": "",
		"deleted": "", "deleted-consolidated": "", "cell-times": "", "hilbert": "", "webp": "", "encrypted": "AES",
	} {
		t.Run(name, func(t *testing.T) {
			found := check(t, file.New(), vector(t, name))
			if want == "" && len(found) > 0 || want != "" && (len(found) == 0 || !strings.Contains(found[0].Err.Error(), want)) {
				t.Errorf("found %v", found)
			}
		})
	}
	sum, err := array.Check(context.Background(), file.New(), vector(t, "dense-times"), nil)
	if err != nil || sum.Fragments != 5 || sum.Files != 19 || sum.Tiles != 6 || sum.NBytes == 0 {
		t.Errorf("%+v, %v", sum, err)
	}
	if _, err := array.Check(context.Background(), mem.New(), "/none", nil); !errors.Is(err, array.ErrNotFound) {
		t.Error(err)
	}
}

// filesBelow returns the URIs of all files below a folder.
func filesBelow(t *testing.T, fs vfs.FS, dir string) (files []string) {
	t.Helper()
	list, err := fs.List(context.Background(), dir)
	must(t, err)
	for _, e := range list {
		if e.Dir {
			files = append(files, filesBelow(t, fs, vfs.Join(dir, e.Name))...)
		} else {
			files = append(files, vfs.Join(dir, e.Name))
		}
	}
	return files
}

// TestCheckNamesTheDamage changes every byte of every file of an array and cuts the files, and wants each damage reported
// under the file's name where a checksum or the structure can tell: always in the attributes' files, which have checksums;
// elsewhere some bytes have no effect, such as the cell size and the compression level in front of a generic tile.
func TestCheckNamesTheDamage(t *testing.T) {
	ctx := context.Background()
	disk := mem.New()
	must(t, array.Create(ctx, disk, uri, newSchema()))
	must(t, write(ctx, disk, 1, 1, 2, 3, 4, 5))
	must(t, putNumber(ctx, disk, "k", 1))
	for _, uri := range filesBelow(t, disk, uri) {
		content, err := vfs.ReadAll(ctx, disk, uri)
		must(t, err)
		if len(content) == 0 {
			continue
		}
		missed := 0
		for i := range content {
			bad := slices.Clone(content)
			bad[i] ^= 0x10
			missed += undetected(t, disk, uri, bad)
		}
		if missed*4 > len(content) || missed > 0 && strings.HasPrefix(vfs.Base(uri), "a") {
			t.Errorf("%s: %d of %d changed bytes went unnoticed", uri, missed, len(content))
		}
		for _, n := range []int{0, 1, len(content) / 2, len(content) - 1} {
			if undetected(t, disk, uri, content[:n]) > 0 {
				t.Errorf("%s cut to %d of %d bytes went unnoticed", uri, n, len(content))
			}
		}
		if undetected(t, disk, uri, append(slices.Clone(content), 0)) > 0 {
			t.Errorf("%s with a byte more went unnoticed", uri)
		}
		replace(t, disk, uri, content)
	}
}

// TestCheckNamesMissingFiles removes every file in turn.
func TestCheckNamesMissingFiles(t *testing.T) {
	ctx := context.Background()
	disk := mem.New()
	must(t, array.Create(ctx, disk, uri, newSchema()))
	must(t, write(ctx, disk, 1, 1))
	for _, file := range filesBelow(t, disk, uri) {
		less := disk.PowerLoss()
		must(t, less.Remove(ctx, file))
		if strings.HasSuffix(file, ".wrt") || strings.Contains(file, "__schema/__1") {
			continue // the fragment, or the array, is not there then
		}
		if found := check(t, less, uri); len(found) != 1 || found[0].URI != file || !errors.Is(found[0].Err, vfs.ErrNotExist) {
			t.Errorf("without %s: %v", file, found)
		}
	}
}

// TestCheckOfLabels damages and removes the array of a dimension label.
func TestCheckOfLabels(t *testing.T) {
	ctx, disk := context.Background(), mem.New()
	s := schema.New(schema.Dense)
	s.Domain.Dimensions = []schema.Dimension{schema.NewDimension[int32]("d", 1, 6, 2)}
	s.Attributes = []schema.Attribute{schema.NewAttribute("a", datatype.Int32, 1)}
	s.AddLabel(0, "l", schema.IncreasingData, datatype.Float64)
	must(t, array.Create(ctx, disk, uri, s))
	labels := vfs.Join(uri, s.Labels[0].URI)
	sum, err := array.Check(ctx, disk, uri, func(d array.Damage) { t.Error(d) })
	if err != nil || sum.Files != 2 {
		t.Errorf("%d files, want the two schemas; error %v", sum.Files, err)
	}
	schemas := filesBelow(t, disk, vfs.Join(labels, "__schema"))
	replace(t, disk, schemas[0], []byte{1, 2, 3})
	if found := check(t, disk, uri); len(found) != 1 || found[0].URI != schemas[0] || !errors.Is(found[0].Err, array.ErrCorrupt) {
		t.Errorf("damaged labels: %v", found)
	}
	must(t, disk.Remove(ctx, labels))
	if found := check(t, disk, uri); len(found) != 1 || found[0].URI != labels || !errors.Is(found[0].Err, array.ErrCorrupt) {
		t.Errorf("missing labels: %v", found)
	}
}

// undetected returns 1 when a damaged file is not reported, else 0. The first report must be about the file.
func undetected(t *testing.T, disk vfs.FS, file string, bad []byte) int {
	t.Helper()
	replace(t, disk, file, bad)
	found := check(t, disk, uri)
	if len(found) == 0 {
		return 1
	}
	named := slices.ContainsFunc(found, func(d array.Damage) bool {
		return d.URI == file && d.Offset <= int64(len(bad)) && (errors.Is(d.Err, array.ErrCorrupt) || errors.Is(d.Err, array.ErrUnsupported))
	})
	// What a damaged schema or footer says about other files shows there.
	if !named && !strings.Contains(file, "__schema") && !strings.HasSuffix(file, "__fragment_metadata.tdb") {
		t.Errorf("damage of %s reported as %v", file, found)
	}
	return 0
}

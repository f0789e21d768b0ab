package vault

import (
	"context"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"azulejo/array"
	"azulejo/datatype"
	"azulejo/format"
	"azulejo/group"
	"azulejo/internal/access"
	"azulejo/internal/catalog"
	"azulejo/schema"
)

// Described is what an asset says about itself.
type Described struct {
	Metadata []format.MetadataEntry
	// HoldsFile tells that it is an array as files are kept in.
	HoldsFile bool
	// Members are the names of a group's members that have one.
	Members []string
}

// Describe reads what an asset says about itself now, and keeps it in the catalogue for lists and the search. The grant is one
// to read or to write it.
func (v *Vault) Describe(ctx context.Context, g access.Grant, a catalog.Asset) (Described, error) {
	where, err := v.catalog.Locate(ctx, g, a)
	if err != nil {
		return Described{}, err
	}
	if err := permit(g, a, access.ArrayRead, access.ArrayWrite, access.GroupRead, access.GroupWrite); err != nil {
		return Described{}, err
	}
	d, err := v.describe(ctx, a, where)
	if err != nil {
		return d, err
	}
	return d, v.catalog.NoteMetadata(ctx, g, a, texts(d.Metadata))
}

func (v *Vault) describe(ctx context.Context, a catalog.Asset, at catalog.Location) (d Described, err error) {
	key, err := v.key(a)
	if err != nil {
		return d, err
	}
	if a.Kind == catalog.Group {
		opened, err := group.Open(ctx, v.fs, at.URI(), group.Latest(), group.WithKey(key))
		if err != nil {
			return d, err
		}
		for _, m := range opened.Members() {
			if m.Named {
				d.Members = append(d.Members, m.Name)
			}
		}
		d.Metadata, err = opened.Metadata(ctx)
		return d, err
	}
	opened, err := array.Open(ctx, v.fs, at.URI(), array.Latest(), array.SchemaOnly(), array.WithCache(v.cache), array.WithKey(key))
	if err != nil {
		return d, err
	}
	d.HoldsFile = holdsFile(opened.Schema)
	d.Metadata, err = opened.Metadata(ctx)
	return d, err
}

func holdsFile(s *schema.Array) bool { return checkFile(s) == nil }

// IndexMissing reads the assets that the search does not know yet, and returns how many it were.
func (v *Vault) IndexMissing(ctx context.Context) (int, error) {
	return v.catalog.IndexMissing(ctx, func(ctx context.Context, a catalog.Asset, at catalog.Location) ([]catalog.MetadataText, error) {
		d, err := v.describe(ctx, a, at)
		return texts(d.Metadata), err
	})
}

func texts(entries []format.MetadataEntry) []catalog.MetadataText {
	var list []catalog.MetadataText
	for _, e := range entries {
		if !e.Deleted {
			list = append(list, catalog.MetadataText{Key: e.Key, Type: e.Type.String(), Value: MetadataText(e)})
		}
	}
	return list
}

// manyValues is how many values of one entry are told.
const manyValues = 64

// MetadataText returns the value of an entry as people read it: texts as they are, numbers separated by commas, and nothing for bytes that are
// neither.
func MetadataText(e format.MetadataEntry) string {
	switch {
	case e.Type.IsString(), e.Type == datatype.Char:
		return string(e.Value)
	case e.Type == datatype.Blob || e.Type == datatype.GeomWKB:
		return ""
	case e.Type == datatype.GeomWKT || e.Type == datatype.Any && utf8.Valid(e.Value):
		return string(e.Value)
	}
	var list []string
	for size := e.Type.Size(); size > 0 && len(e.Value) >= size && len(list) < manyValues; e.Value = e.Value[size:] {
		list = append(list, numberText(e.Type.Kind(), e.Value[:size]))
	}
	return strings.Join(list, ", ")
}

func numberText(k datatype.Kind, b []byte) string {
	var bits uint64
	for i, c := range b {
		bits |= uint64(c) << (8 * i)
	}
	unused := 64 - 8*len(b)
	switch {
	case k.Float() && len(b) == 4:
		return strconv.FormatFloat(float64(math.Float32frombits(uint32(bits))), 'g', -1, 32)
	case k.Float():
		return strconv.FormatFloat(math.Float64frombits(bits), 'g', -1, 64)
	case k.Signed():
		return strconv.FormatInt(int64(bits)<<unused>>unused, 10)
	}
	return strconv.FormatUint(bits, 10)
}

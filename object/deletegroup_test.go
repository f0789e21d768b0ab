package object_test

import (
	"errors"
	"testing"

	"azulejo/array"
	"azulejo/datatype"
	"azulejo/format"
	"azulejo/group"
	"azulejo/object"
	"azulejo/schema"
	"azulejo/vfs"
	"azulejo/vfs/mem"
)

// TestDeleteGroup deletes a group that has an array of its own, one elsewhere, one that is gone, and a member group of
// which it is a member itself.
func TestDeleteGroup(t *testing.T) {
	ctx, fs := t.Context(), mem.New()
	s := schema.New(schema.Sparse)
	s.Domain.Dimensions = []schema.Dimension{{Name: "d", Type: datatype.Int32, CellValNum: 1, Domain: datatype.Bytes([]int32{0, 9}), Extent: datatype.Bytes([]int32{2})}}
	for _, uri := range []string{"g/a", "elsewhere", "bystander", "g/inner/b"} {
		if err := array.Create(ctx, fs, uri, s); err != nil {
			t.Fatal(err)
		}
	}
	members := map[string][]group.Member{
		"g": {{URI: "a", Relative: true, Type: format.ObjectArray}, {URI: "inner", Relative: true, Type: format.ObjectGroup, Name: "in"},
			{URI: "elsewhere", Type: format.ObjectArray}, {URI: "gone", Relative: true, Type: format.ObjectArray}},
		"g/inner": {{URI: "b", Relative: true, Type: format.ObjectArray}, {URI: "g", Type: format.ObjectGroup}},
	}
	for uri, list := range members {
		if err := group.Create(ctx, fs, uri); err != nil {
			t.Fatal(err)
		}
		g, err := group.Open(ctx, fs, uri, group.Latest())
		if err == nil {
			err = g.Update(ctx, list, nil, 0)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := vfs.WriteAll(ctx, fs, "g/notes.txt", []byte("mine")); err != nil {
		t.Fatal(err)
	}
	if err := object.DeleteGroup(ctx, fs, "g", nil); err != nil {
		t.Fatal(err)
	}
	for uri, want := range map[string]format.ObjectType{"g": 0, "g/a": 0, "g/inner": 0, "g/inner/b": 0, "elsewhere": 0, "bystander": format.ObjectArray} {
		if got, err := object.TypeOf(ctx, fs, uri); got != want || err != nil {
			t.Errorf("%s is of type %d, want %d (%v)", uri, got, want, err)
		}
	}
	if _, err := vfs.Size(ctx, fs, "g/notes.txt"); err != nil {
		t.Errorf("a file that was not the group's: %v", err)
	}
	if err := object.DeleteGroup(ctx, fs, "g", nil); !errors.Is(err, group.ErrNotFound) {
		t.Errorf("a second time: %v", err)
	}
}

package vfs_test

import (
	"testing"

	"azulejo/vfs"
)

func TestStages(t *testing.T) {
	for uri, want := range map[string]vfs.Stage{
		"/a/__schema/__1_1_x": vfs.Schema, "/a/__schema/__enumerations/e": vfs.Data, "/a/__array_schema.tdb": vfs.Identity,
		"/g/__tiledb_group.tdb": vfs.Identity, "/g/__group/__1_1_x_2": vfs.Identity, "/a/__commits/__1_1_x_22.wrt": vfs.Commit,
		"/a/__1_1_x.ok": vfs.Commit, "/a/__fragments/f/a0.tdb": vfs.Data, "x": vfs.Data, "": vfs.Data, "s3://b/a/__meta/m": vfs.Data,
	} {
		if got := vfs.StageOf(uri); got != want {
			t.Errorf("%s: stage %d, want %d", uri, got, want)
		}
	}
}

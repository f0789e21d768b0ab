package vfs_test

import (
	"testing"

	"azulejo/vfs"
)

func TestURIs(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{vfs.Join("/a", "b", "c"), "/a/b/c"},
		{vfs.Join("/a/", "/b/", "c/d"), "/a/b/c/d"},
		{vfs.Join("s3://bucket", "k"), "s3://bucket/k"},
		{vfs.Join("/a"), "/a"},
		{vfs.Base("/a/b/"), "b"},
		{vfs.Base("b"), "b"},
		{vfs.Base("file:///a/b c"), "b c"},
		{vfs.Trim("/a/b//"), "/a/b"},
		{(&vfs.Error{Op: "open", URI: "/a", Err: vfs.ErrNotExist}).Error(), "open /a: does not exist"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

package group_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/format"
	"azulejo/group"
	"azulejo/vfs/mem"
)

func TestEncryptedGroup(t *testing.T) {
	ctx := context.Background()
	fs := mem.New()
	newGroup(t, fs)
	key, err := filter.NewKey([]byte(strings.Repeat("k", filter.KeyBytes)))
	if err != nil {
		t.Fatal(err)
	}
	g, err := group.Open(ctx, fs, uri, group.Latest(), group.WithKey(key))
	if err == nil {
		err = g.Update(ctx, []group.Member{named("a", "mem://a")}, nil, 10)
	}
	if err == nil {
		err = g.PutMetadata(ctx, []format.MetadataEntry{{Key: "k", Type: datatype.Uint8, Num: 1, Value: []byte{7}}}, 10)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := group.Open(ctx, fs, uri, group.Latest()); !errors.Is(err, group.ErrKey) {
		t.Errorf("without the key: %v", err)
	}
	if g, err = group.Open(ctx, fs, uri, group.Latest(), group.WithKey(key)); err != nil || keys(g) != "a=mem://a" {
		t.Fatalf("members %v, %v", g, err)
	}
	if m, err := g.Metadata(ctx); err != nil || len(m) != 1 || m[0].Value[0] != 7 {
		t.Errorf("metadata %v, %v", m, err)
	}
}

package vault

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"azulejo/array"
	"azulejo/filter"
	"azulejo/internal/access"
	"azulejo/internal/catalog"
	"azulejo/vfs"
)

// TestKeys registers an encrypted array with its key and opens it; with another operator's key, or without one, it stays closed.
func TestKeys(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	secret := []byte("0123456789abcdeF0123456789abcdeF")
	key, err := filter.NewKey(secret)
	must(t, err)
	where, err := w.catalog.Locate(ctx, w.write, w.asset)
	must(t, err)
	uri := vfs.Join(where.URI()[:len(where.URI())-len(vfs.Base(where.URI()))], "encrypted")
	plain, err := array.Open(ctx, w.fs, where.URI(), array.Latest())
	must(t, err)
	must(t, array.Create(ctx, w.fs, uri, plain.Schema, array.WithKey(key)))
	space := access.Object{Kind: access.Namespace, ID: w.asset.NamespaceID, NamespaceID: w.asset.NamespaceID}
	register, err := access.Allowed(w.write.Subject(), access.ArrayRegister, space)
	must(t, err)
	n := catalog.NewAsset{Name: "encrypted", Storage: uri}
	if _, err := w.RegisterArray(ctx, register, n, secret); !errors.Is(err, array.ErrKey) {
		t.Errorf("without an operator's key: %v", err)
	}
	if err := w.UseOperatorKey(make([]byte, 31)); err == nil {
		t.Error("a short operator's key was taken")
	}
	must(t, w.UseOperatorKey(bytes.Repeat([]byte{1}, OperatorKeyBytes)))
	for _, wrong := range [][]byte{{}, secret[1:], bytes.Repeat([]byte{7}, 32)} {
		if _, err := w.RegisterArray(ctx, register, n, wrong); !errors.Is(err, array.ErrKey) {
			t.Errorf("key of %d bytes: %v", len(wrong), err)
		}
	}
	a, err := w.RegisterArray(ctx, register, n, secret)
	must(t, err)
	if bytes.Contains(a.SealedKey(), secret) || len(a.SealedKey()) == 0 {
		t.Errorf("%d bytes are kept", len(a.SealedKey()))
	}
	read, err := access.Allowed(w.write.Subject(), access.ArrayRead, a.Object())
	must(t, err)
	open := func(a catalog.Asset) error {
		_, err := w.OpenArray(ctx, read, a, array.Latest())
		return err
	}
	must(t, open(a))
	moved := a
	moved.NamespaceID = "other"
	if _, err := w.key(moved); !errors.Is(err, array.ErrKey) {
		t.Errorf("in another namespace: %v", err)
	}
	must(t, w.UseOperatorKey(bytes.Repeat([]byte{2}, OperatorKeyBytes)))
	if err := open(a); !errors.Is(err, array.ErrKey) {
		t.Errorf("with another operator's key: %v", err)
	}
	w.operators = nil
	if err := open(a); !errors.Is(err, array.ErrKey) {
		t.Errorf("without an operator's key: %v", err)
	}

	// The operator's key changes: with both the array opens, and after resealing with the new one alone.
	first, second, third := bytes.Repeat([]byte{1}, OperatorKeyBytes), bytes.Repeat([]byte{2}, OperatorKeyBytes), bytes.Repeat([]byte{3}, OperatorKeyBytes)
	must(t, w.UseOperatorKey(second))
	if lost, err := w.LostKeys(ctx); lost != 1 || err != nil {
		t.Errorf("%d keys are lost, %v", lost, err)
	}
	if sealed, lost, err := w.Reseal(ctx); sealed != 0 || lost != 1 || err != nil {
		t.Errorf("%d sealed, %d lost, %v", sealed, lost, err)
	}
	must(t, w.UseOperatorKey(third, first))
	must(t, open(a))
	if sealed, lost, err := w.Reseal(ctx); sealed != 1 || lost != 0 || err != nil {
		t.Errorf("%d sealed, %d lost, %v", sealed, lost, err)
	}
	must(t, w.UseOperatorKey(third))
	b, err := w.catalog.Resolve(ctx, a.NamespaceID, a.ID)
	must(t, err)
	must(t, open(b))
	if lost, err := w.LostKeys(ctx); lost != 0 || err != nil {
		t.Errorf("%d keys are lost, %v", lost, err)
	}
}

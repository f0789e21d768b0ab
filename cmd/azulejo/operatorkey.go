package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"azulejo/internal/account"
	"azulejo/internal/catalog"
	"azulejo/internal/db"
	"azulejo/internal/vault"
	"azulejo/vfs/file"
)

// The files of the operator's key in the directory of keys. The next one is there while the key is being changed.
const (
	operatorKey     = "arrays"
	nextOperatorKey = "arrays-next"
)

// operatorLoss is what removing the operator's key means.
const operatorLoss = "keys of encrypted arrays that were registered before are lost"

// useOperatorKey gives a vault the operator's key of a data directory, and beside it the next one where its change broke off.
func useOperatorKey(v *vault.Vault, data string) error {
	key, err := secretFile(data, operatorKey, operatorLoss)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(data, "keys", nextOperatorKey)); errors.Is(err, os.ErrNotExist) {
		return v.UseOperatorKey(key)
	}
	next, err := secretFile(data, nextOperatorKey, operatorLoss)
	if err != nil {
		return err
	}
	return v.UseOperatorKey(key, next)
}

type operatorCommand struct {
	Rotate operatorRotate `cmd:"" help:"Replace the operator's key, under which the keys of encrypted arrays are kept, by a new one."`
}

type operatorRotate struct{ dataFlag }

// Run is called by the command line parser. The next key is on disk before anything is sealed with it and becomes the key
// when everything is, so wherever the command breaks off, each array's key opens with one of the two, and a second call ends
// the change.
func (c *operatorRotate) Run(ctx context.Context) (err error) {
	path := filepath.Join(c.Data, "keys", operatorKey)
	old, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s has no operator's key (keys/%s); the server makes one at its first start", c.Data, operatorKey)
	}
	if err != nil {
		return err
	}
	release, err := db.Lock(filepath.Join(c.Data, "lock"), false)
	if err != nil {
		return fmt.Errorf("%s: %w; stop it first", c.Data, err)
	}
	defer func() { err = errors.Join(err, release()) }()
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.db.Close()) }()
	assets, err := catalog.Open(s.db, time.Now, c.Data, nil, account.AdminName)
	if err != nil {
		return err
	}
	next, err := secretFile(c.Data, nextOperatorKey, operatorLoss)
	if err != nil {
		return err
	}
	v := vault.New(file.New(), assets, vault.Limits{})
	if err := v.UseOperatorKey(next, old); err != nil {
		return err
	}
	sealed, lost, err := v.Reseal(ctx)
	if err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(c.Data, "keys", nextOperatorKey), path); err != nil {
		return err
	}
	fmt.Printf("keys of %d arrays and credentials are kept under the new key\n", sealed)
	if lost > 0 {
		fmt.Fprintf(os.Stderr, "azulejo: keys of %d arrays and credentials were kept under another key than the last one and are lost; register them anew\n", lost)
	}
	return nil
}

package main

import (
	"bytes"
	"fmt"
	"os"

	"azulejo/array"
	"azulejo/filter"
	"azulejo/vfs"
)

// keyFlag is the key of what a command is about. It is read from a file, because every user of a machine can read command
// lines.
type keyFlag struct {
	Key string `name:"key" env:"AZULEJO_KEY_FILE" placeholder:"FILE" help:"File with the 32 bytes of the key of an encrypted array or group."`
}

// key returns the key, nil when there is none. A line break at the end of the file is not part of it.
func (f keyFlag) key() (*filter.Key, error) {
	if f.Key == "" {
		return nil, nil
	}
	content, err := os.ReadFile(f.Key)
	if err != nil {
		return nil, err
	}
	if len(content) > filter.KeyBytes {
		content = bytes.TrimRight(content, "\r\n")
	}
	k, err := filter.NewKey(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Key, err)
	}
	return k, nil
}

// keyedStore is where an array lies and how its key is given.
type keyedStore struct {
	storeFlags
	keyFlag
}

// keyed returns the store of an array's URI or path, the URI as the store takes it, and the key as an option.
func (k keyedStore) keyed(uri string) (vfs.FS, string, array.Option, error) {
	fs, uri, err := k.store(uri)
	if err != nil {
		return nil, "", nil, err
	}
	key, err := k.withKey()
	return fs, uri, key, err
}

// withKey returns the key as an option.
func (f keyFlag) withKey() (array.Option, error) {
	k, err := f.key()
	return array.WithKey(k), err
}

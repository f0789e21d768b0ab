package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"azulejo/internal/backup"
	"azulejo/internal/config"
)

// heldKey returns the operator's key of a data directory, nil where there is none.
func heldKey(data string) ([]byte, error) {
	key, err := os.ReadFile(filepath.Join(data, "keys", operatorKey))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return key, err
}

type backupCommand struct {
	dataFlag
	To      string `arg:"" help:"Directory to make, or an empty one."`
	Storage bool   `help:"Copy the files of the default storage too; without it the backup only says where they are."`
}

// Run is called by the command line parser.
func (c *backupCommand) Run(ctx context.Context) (err error) {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.db.Close()) }()
	key, err := heldKey(c.Data)
	if err != nil {
		return err
	}
	m, err := backup.Make(ctx, backup.Source{DB: s.db, Data: c.Data, Key: key, Now: time.Now}, c.To, c.Storage)
	if err != nil {
		return fmt.Errorf("the backup is not complete; remove %s and try again: %w", c.To, err)
	}
	fmt.Printf("metadata of %d users and %d assets\n", m.Users, m.Assets)
	if m.Storage {
		fmt.Printf("%d files of the default storage, %d bytes\n", m.Files, m.NBytes)
	} else {
		fmt.Println("no files of arrays; locations.jsonl says where they are")
	}
	if m.Sealed > 0 {
		fmt.Fprintf(os.Stderr, "azulejo: %d keys and secrets in it open only with keys/%s of %s, which is not in the backup: keep that file elsewhere\n",
			m.Sealed, operatorKey, c.Data)
	}
	return nil
}

type restoreCommand struct {
	From   string `arg:"" help:"Directory of a backup."`
	Data   string `default:"./azulejo-data" help:"Data directory to make; it may hold keys, and storage when the backup has none." env:"AZULEJO_DATA"`
	DryRun bool   `help:"Verify the backup and look at the target, and change nothing."`
}

// Run is called by the command line parser.
func (c *restoreCommand) Run(ctx context.Context) error {
	settings, err := config.Load("", environment(), map[string][]string{"data": {c.Data}})
	if err != nil {
		return err
	}
	m, err := backup.Restore(ctx, c.From, backup.Target{Data: settings.Data, Database: databaseSource(settings)}, c.DryRun)
	if err != nil {
		return fmt.Errorf("nothing was restored: %w", err)
	}
	did := "restored"
	if c.DryRun {
		did = "sound, can be restored"
	}
	fmt.Printf("%s: metadata of %d users and %d assets as of %s, %d files of the default storage\n", did, m.Users, m.Assets,
		m.CreatedAt.Format(time.RFC3339), m.Files)
	if !m.Storage && m.Assets > 0 {
		fmt.Fprintf(os.Stderr, "azulejo: the backup holds no files of arrays: bring storage/ back to %s, and what else %s names, before a server starts\n",
			settings.Data, filepath.Join(c.From, "locations.jsonl"))
	}
	return warnOfKey(settings.Data, m)
}

// warnOfKey says when what a backup has sealed cannot be opened with the operator's key of a data directory.
func warnOfKey(data string, m backup.Manifest) error {
	key, err := heldKey(data)
	if err != nil || m.Sealed == 0 || backup.Fingerprint(key) == m.KeyFingerprint {
		return err
	}
	what := "is missing"
	if key != nil {
		what = "is another one than when the backup was made"
	}
	fmt.Fprintf(os.Stderr, "azulejo: keys/%s of %s %s: %d keys of encrypted arrays, secrets of credentials and second factors cannot be opened. "+
		"Put the one with the fingerprint %s there before a server starts\n", operatorKey, data, what, m.Sealed, m.KeyFingerprint)
	return nil
}

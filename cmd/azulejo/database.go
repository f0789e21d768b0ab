package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"azulejo/internal/config"
	"azulejo/internal/db"
)

type databaseCommand struct {
	Carry databaseCarry `cmd:"" help:"Carry the metadata of a SQLite file over to the PostgreSQL database of AZULEJO_DATABASE, which no server has used yet."`
}

type databaseCarry struct{ dataFlag }

// Run is called by the command line parser.
func (c *databaseCarry) Run(ctx context.Context) (err error) {
	settings, err := config.Load("", environment(), map[string][]string{"data": {c.Data}})
	if err != nil {
		return err
	}
	if settings.Database == "" {
		return errors.New("name the PostgreSQL database in the environment variable AZULEJO_DATABASE: postgres://user:password@host:port/database")
	}
	file := filepath.Join(settings.Data, "azulejo.db")
	if _, err := os.Stat(file); err != nil {
		return fmt.Errorf("%s has no metadata in SQLite (no azulejo.db); name a data directory with --data", c.Data)
	}
	release, err := db.Lock(filepath.Join(settings.Data, "lock"), false)
	if err != nil {
		return fmt.Errorf("%s: %w; stop it first", c.Data, err)
	}
	defer func() { err = errors.Join(err, release()) }()
	from, err := db.Open(ctx, file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := db.Open(ctx, settings.Database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	carried, err := db.Carry(ctx, from, to)
	if err != nil {
		return fmt.Errorf("nothing was carried over: %w", err)
	}
	for _, t := range carried {
		fmt.Printf("%s\t%d\n", t.Table, t.Rows)
	}
	fmt.Fprintf(os.Stderr, "azulejo: done; start the servers with AZULEJO_DATABASE set. %s is not used any more; keep it until you are sure, then remove it\n", file)
	return nil
}

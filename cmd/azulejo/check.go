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
	"azulejo/internal/reconcile"
	"azulejo/internal/vault"
	"azulejo/vfs/file"
)

type checkCommand struct {
	dataFlag
	Database  bool     `help:"Compare the catalogue with what is stored."`
	Repair    bool     `help:"Mend what can be mended without losing anything."`
	DryRun    bool     `help:"With --repair, say what would be done and do nothing."`
	Region    string   `help:"Region whose storage this is, as the server has it." env:"AZULEJO_REGION"`
	AllowPath []string `help:"Directory from which arrays may be registered, as the server has it; may be repeated." env:"AZULEJO_ALLOW_PATH"`
}

// Run is called by the command line parser.
func (c *checkCommand) Run(ctx context.Context) (err error) {
	if !c.Database {
		return errors.New("name what to check: --database compares the catalogue with what is stored; 'azulejo array check URI' verifies the files of one array")
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.db.Close()) }()
	p := reconcile.Parts{DB: s.db, Data: c.Data, Now: time.Now}
	// While this holds the lock no server starts.
	release, err := db.Lock(filepath.Join(c.Data, "lock"), false)
	switch {
	case err == nil:
		p.Alone = true
		defer func() { err = errors.Join(err, release()) }()
	case !errors.Is(err, db.ErrInUse):
		return err
	}
	if p.Catalog, err = catalog.Open(s.db, time.Now, c.Data, c.AllowPath, account.AdminName); err != nil {
		return err
	}
	p.Catalog.SetRegions(catalog.Regions{Own: c.Region})
	p.Vault = vault.New(file.New(), p.Catalog, vault.Limits{})
	counts, err := reconcile.Check(ctx, p, c.Repair && !c.DryRun, func(f reconcile.Finding) { printFinding(f) })
	if err != nil {
		return err
	}
	fmt.Printf("%d entries and %d directories, %d of them of deregistered assets: %d findings, %d mended\n", counts.Entries, counts.Directories, counts.Kept,
		counts.Findings, counts.Mended)
	if counts.Mended < counts.Findings {
		if !c.Repair {
			fmt.Fprintln(os.Stderr, "azulejo: --repair mends what is marked with 'would'")
		}
		return errReported
	}
	return nil
}

// printFinding prints a finding on one line.
func printFinding(f reconcile.Finding) {
	verb := "would "
	switch {
	case f.Mended:
		verb = "mended: "
	case f.By:
		verb = "to do: "
	}
	fmt.Printf("%s\t%s\t%s\t%s%s\n", f.Class, f.Where, f.What, verb, f.Mend)
}

// Package reconcile compares the catalogue with the storage and mends what can be mended without losing anything: storage that
// no entry names gets one or is put aside, entries without storage are put aside, what a crash has half made is ended.
// Nothing of users is deleted: what has no place goes into the directory quarantine of the data directory, by rename.
//
// It may run beside servers. A directory is listed before the entries are read and looked at again afterwards, as an entry
// is there before its storage is made and until its storage is gone; so what is only being made or deleted is no finding.
// What only a server that stands still allows is mended when no server runs.
package reconcile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"azulejo/array"
	"azulejo/group"
	"azulejo/internal/catalog"
	"azulejo/internal/db"
	"azulejo/internal/vault"
	"azulejo/vfs/file"
)

// Class is a kind of difference.
type Class string

// The kinds of differences.
const (
	// HalfMade: an asset was being created or deleted when its server died.
	HalfMade Class = "half-made"
	// NoStorage: nothing is stored where an entry says.
	NoStorage Class = "no-storage"
	// WrongKind: an array is stored where the entry says group, or the reverse.
	WrongKind Class = "wrong-kind"
	// Unreadable: what is stored cannot be looked at.
	Unreadable Class = "unreadable"
	// Orphan: no entry names something that is stored.
	Orphan Class = "orphan"
	// Unknown: something is in the storage that the server never puts there.
	Unknown Class = "unknown"
	// NoNamespace: the storage of a namespace that does not exist.
	NoNamespace Class = "no-namespace"
	// MemberGone: a stored group names a member in the default storage that is not there.
	MemberGone Class = "member-gone"
	// MemberNotes: what the catalogue notes of a group's members is not what is stored.
	MemberNotes Class = "member-notes"
	// Reference: a row refers to a namespace, a user or an asset that is gone.
	Reference Class = "reference"
	// GrantGone: the directory that was given to a namespace is not there.
	GrantGone Class = "grant-gone"
	// Abandoned: an upload that nobody went on with for a week.
	Abandoned Class = "abandoned-upload"
	// Litter: what a crash left of files that were being written or removed.
	Litter Class = "litter"
	// Database: the database says itself that it is damaged.
	Database Class = "database"
)

// Finding is one difference.
type Finding struct {
	Class Class
	// Where is a path or the address of an asset, What says what is wrong there.
	Where, What string
	// Mend is what mending does, or what the operator has to do where By is set.
	Mend string
	// By tells that the operator has to do it.
	By bool
	// Mended tells that it was done.
	Mended bool
}

// Parts are what is compared.
type Parts struct {
	DB      *db.DB
	Catalog *catalog.Catalog
	Vault   *vault.Vault
	// Data is the data directory.
	Data string
	Now  func() time.Time
	// Alone tells that no server runs and none can start meanwhile.
	Alone bool
}

// Counts sum up a comparison.
type Counts struct {
	Entries, Directories int
	// Kept are the places of assets that were deregistered while their files stayed.
	Kept int
	// Findings, and how many of them were mended.
	Findings, Mended int
}

// run is one comparison.
type run struct {
	Parts
	fs     *file.FS
	repair bool
	report func(Finding)
	counts Counts
	// aside is the directory in quarantine of this run.
	aside string
}

// Check compares and reports every difference; with repair it mends what it can.
func Check(ctx context.Context, p Parts, repair bool, report func(Finding)) (Counts, error) {
	r := &run{Parts: p, fs: file.New(), repair: repair, report: report}
	r.aside = filepath.Join(p.Data, "quarantine", p.Now().UTC().Format("20060102T150405.000Z"))
	// Half-made assets come first, for what is left of them is then no orphan.
	for _, step := range []func(context.Context) error{r.database, r.references, r.interrupted, r.storage, r.entries, r.grants} {
		if err := step(ctx); err != nil {
			return r.counts, err
		}
	}
	return r.counts, nil
}

// stays is returned by what mends, when it turns out that the operator has to: what he has to do.
type stays string

// Error says what is to be done.
func (s stays) Error() string { return string(s) }

// found reports a difference and mends it when that is asked for and mend is not nil.
func (r *run) found(f Finding, mend func() error) error {
	f.By = mend == nil
	r.counts.Findings++
	if mend != nil && r.repair {
		err := mend()
		text, ok := errors.AsType[stays](err)
		switch {
		case ok:
			f.Mend, f.By = string(text), true
		case err != nil:
			r.report(f)
			return fmt.Errorf("%s %s: %w", f.Class, f.Where, err)
		default:
			f.Mended = true
			r.counts.Mended++
		}
	}
	r.report(f)
	return nil
}

// database asks SQLite whether its file is whole; PostgreSQL has its own tools.
func (r *run) database(ctx context.Context) error {
	faults, err := r.DB.Faults(ctx)
	for _, text := range faults {
		if err == nil {
			err = r.found(Finding{Class: Database, Where: "azulejo.db", What: text, Mend: "restore a backup"}, nil)
		}
	}
	return err
}

// references looks for rows that refer to what is gone, which the database does not allow, but for what was written without it.
func (r *run) references(ctx context.Context) error {
	list, err := r.DB.Dangling(ctx)
	if err != nil {
		return err
	}
	for _, d := range list {
		f := Finding{Class: Reference, Where: "table " + d.Table, What: fmt.Sprintf("%d rows have a %s that is not in %s", d.Rows, d.Column, d.Parent)}
		var mend func() error
		if f.Mend = "remove them"; d.Table == "assets" || d.Table == "users" {
			f.Mend = "restore a backup, or give them an owner"
		} else {
			mend = func() error { return r.DB.RemoveDangling(ctx, d) }
		}
		if err := r.found(f, mend); err != nil {
			return err
		}
	}
	return nil
}

// address is how people name an asset.
func address(row catalog.Row) string { return "tiledb://" + row.Namespace + "/" + row.Name }

// interrupted looks for what dead servers were creating or deleting.
func (r *run) interrupted(ctx context.Context) error {
	var list []Finding
	err := r.Catalog.Rows(ctx, func(row catalog.Row) error {
		r.counts.Entries++
		if row.State == "live" {
			return nil
		}
		alive, err := r.DB.Alive(ctx, row.Maker)
		if err != nil || alive || !r.Alone && !r.DB.Shared() {
			return err // the server at work on it runs
		}
		f := Finding{Class: HalfMade, Where: address(row), What: "its creation was not ended", Mend: "undo or end it"}
		if row.State == "deleting" {
			f.What, f.Mend = "its deletion was not ended", "end it"
		}
		list = append(list, f)
		return nil
	})
	if err != nil || len(list) == 0 {
		return err
	}
	var done bool
	for _, f := range list {
		err := r.found(f, func() error {
			if done {
				return nil
			}
			done = true
			return r.Vault.Recover(ctx)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// grants looks for directories that were given to namespaces and are gone.
func (r *run) grants(ctx context.Context) error {
	list, err := r.Catalog.Grants(ctx)
	if err != nil {
		return err
	}
	for _, g := range list {
		if info, err := os.Stat(g.Path); err == nil && info.IsDir() {
			continue
		}
		err := r.found(Finding{Class: GrantGone, Where: g.Path, What: "it was given to namespace " + g.NamespaceID + " and is no directory",
			Mend: "mount it again, or take it back"}, nil)
		if err != nil {
			return err
		}
	}
	return nil
}

// entries looks at the storage of every live entry.
func (r *run) entries(ctx context.Context) error {
	return r.Catalog.Rows(ctx, func(row catalog.Row) error {
		if err := ctx.Err(); err != nil || row.State != "live" {
			return err
		}
		return r.entry(ctx, row)
	})
}

// kinds returns what is stored at a path.
func (r *run) kinds(ctx context.Context, path string) (isArray, isGroup bool, err error) {
	if isArray, err = array.Exists(ctx, r.fs, path); err == nil {
		isGroup, err = group.Exists(ctx, r.fs, path)
	}
	return isArray, isGroup, err
}

func (r *run) entry(ctx context.Context, row catalog.Row) error {
	isArray, isGroup, err := r.kinds(ctx, row.Path)
	if err != nil {
		return r.found(Finding{Class: Unreadable, Where: address(row), What: err.Error(), Mend: "look at " + row.Path}, nil)
	}
	as := isArray
	if row.Kind == catalog.Group {
		as = isGroup
	}
	if as {
		if err := r.litter(row.Path); err != nil || row.Kind != catalog.Group || row.Encrypted {
			return err
		}
		return r.members(ctx, row)
	}
	// It may have been deleted meanwhile.
	if now, err := r.Catalog.Row(ctx, row.ID); errors.Is(err, catalog.ErrNotFound) || err == nil && now.State != "live" {
		return nil
	} else if err != nil {
		return err
	}
	if isArray || isGroup {
		return r.wrongKind(ctx, row, isArray)
	}
	f := Finding{Class: NoStorage, Where: address(row), What: "no " + string(row.Kind) + " is at " + row.Path, Mend: "mount or restore it, or deregister the asset"}
	var mend func() error
	// Where not even the namespace's directory is there, the storage is rather not mounted than lost.
	// An asset that was given away lies in the directory of the namespace that made it.
	home, _, _ := strings.Cut(strings.TrimPrefix(row.Path, r.Catalog.Storage()+"/"), "/")
	if here, err := os.ReadDir(filepath.Join(r.Catalog.Storage(), home)); row.Inside && err == nil && len(here) > 0 {
		f.Mend = "take the entry out and keep what it says in quarantine"
		mend = func() error { return r.retire(ctx, row) }
	}
	return r.found(f, mend)
}

func (r *run) retire(ctx context.Context, row catalog.Row) error {
	return r.Catalog.Retire(ctx, row.ID, func(text []byte) error {
		dir := filepath.Join(r.aside, row.NamespaceID)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, row.ID+".json"), text, 0o600)
	})
}

func (r *run) wrongKind(ctx context.Context, row catalog.Row, isArray bool) error {
	kind := catalog.Group
	if isArray {
		kind = catalog.Array
	}
	f := Finding{Class: WrongKind, Where: address(row), What: fmt.Sprintf("the entry says %s, a %s is stored", row.Kind, kind), Mend: "correct the entry"}
	return r.found(f, func() error {
		changed, err := r.Catalog.SetKind(ctx, row.ID, kind)
		if err == nil && !changed {
			return stays("it is shared or in groups: deregister it and register it again")
		}
		return err
	})
}

package backup

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"azulejo/internal/db"
)

// Open reads the manifest of the backup in a directory and verifies every file of it. Error class: ErrDamaged.
func Open(ctx context.Context, from string) (Manifest, error) {
	var m Manifest
	text, err := os.ReadFile(filepath.Join(from, manifestFile))
	if errors.Is(err, os.ErrNotExist) {
		return m, fmt.Errorf("%w: %s has no %s; a backup that broke off has none", ErrDamaged, from, manifestFile)
	}
	if err != nil {
		return m, fmt.Errorf("backup: %w", err)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("%w: %s: %w", ErrDamaged, manifestFile, err)
	}
	if m.Format != format {
		return m, fmt.Errorf("%s is a backup of format %d, this program reads %d; use the azulejo that made it", from, m.Format, format)
	}
	sum, _, err := sumFile(filepath.Join(from, checksumsFile))
	if err == nil && sum != m.Checksums {
		err = errors.New("its checksum is not the manifest's")
	}
	if err != nil {
		return m, fmt.Errorf("%w: %s: %w", ErrDamaged, checksumsFile, err)
	}
	files := 0
	err = each(from, func(sum, name string) error {
		files++
		if err := ctx.Err(); err != nil {
			return err
		}
		got, _, err := sumFile(filepath.Join(from, name))
		if err == nil && got != sum {
			err = errors.New("its checksum is another one")
		}
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrDamaged, name, err)
		}
		return nil
	})
	if err == nil && files != m.Files+2 {
		err = fmt.Errorf("%w: %s names %d files, not %d", ErrDamaged, checksumsFile, files, m.Files+2)
	}
	return m, err
}

// each calls visit with every line of the checksums of a backup.
func each(from string, visit func(sum, name string) error) error {
	file, err := os.Open(filepath.Join(from, checksumsFile))
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		sum, name, ok := strings.Cut(lines.Text(), "  ")
		if !ok || !filepath.IsLocal(name) {
			return fmt.Errorf("%w: a line of %s cannot be read", ErrDamaged, checksumsFile)
		}
		if err := visit(sum, name); err != nil {
			return err
		}
	}
	return lines.Err()
}

// Target is where a backup goes.
type Target struct {
	// Data is the data directory. It may have keys already, and storage when the backup has none; nothing else.
	Data string
	// Database is the source that the server will use: a URL, or the path of the SQLite file in Data.
	Database string
}

// restoring is the directory in the data directory in which a restoration works.
const restoring = "restoring"

// Restore verifies the backup in a directory and brings back what it holds; with dry it only looks whether it could. The
// database comes last: before that, no server would start on what is there. Error classes: ErrDamaged, ErrOccupied.
func Restore(ctx context.Context, from string, to Target, dry bool) (m Manifest, err error) {
	if m, err = Open(ctx, from); err != nil {
		return m, err
	}
	if err := to.free(m); err != nil || dry && !db.IsPostgres(to.Database) {
		return m, err
	}
	if dry {
		return m, to.unused(ctx)
	}
	if err := os.MkdirAll(to.Data, 0o700); err != nil {
		return m, err
	}
	release, err := db.Lock(filepath.Join(to.Data, "lock"), false)
	if err != nil {
		return m, fmt.Errorf("%s: %w; stop it first", to.Data, err)
	}
	defer func() { err = errors.Join(err, release()) }()
	if err := to.unused(ctx); err != nil {
		return m, err
	}
	work := filepath.Join(to.Data, restoring)
	if err := os.RemoveAll(work); err != nil { // of one that broke off
		return m, err
	}
	c := &copier{from: from, to: work}
	err = each(from, func(sum, name string) error {
		if name == locationsFile {
			return nil
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(work, name)), 0o700); err != nil {
			return err
		}
		got, _, err := c.file(ctx, name)
		if err == nil && got != sum {
			err = fmt.Errorf("%w: %s changed while it was read", ErrDamaged, name)
		}
		return err
	})
	if err == nil && m.Storage {
		err = directories(filepath.Join(from, storageDir), filepath.Join(work, storageDir))
	}
	if err != nil {
		return m, err
	}
	return m, to.publish(ctx, work, m)
}

// directories makes the directories of a backup's storage that hold no file.
func directories(from, to string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		return os.MkdirAll(filepath.Join(to, rel), 0o700)
	})
}

// free returns an error of class ErrOccupied if the data directory holds what a restored one may not find there.
func (t Target) free(m Manifest) error {
	list, err := os.ReadDir(t.Data)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	may := []string{"keys", "lock", restoring}
	if !m.Storage {
		may = append(may, storageDir)
	}
	for _, e := range list {
		if !slices.Contains(may, e.Name()) {
			return fmt.Errorf("%s is %w: it has %s; restore into another directory", t.Data, ErrOccupied, e.Name())
		}
	}
	return nil
}

// unused returns an error of class ErrOccupied if a PostgreSQL database has users.
func (t Target) unused(ctx context.Context) error {
	if !db.IsPostgres(t.Database) {
		return nil
	}
	d, err := db.Open(ctx, t.Database)
	if err != nil {
		return err
	}
	n, err := d.Users(ctx)
	if err == nil && n > 0 {
		err = fmt.Errorf("the database is %w: it has %d users; restore into a new one", ErrOccupied, n)
	}
	return errors.Join(err, d.Close())
}

// publish puts what was copied where servers look for it.
func (t Target) publish(ctx context.Context, work string, m Manifest) error {
	if m.Storage {
		if err := os.Rename(filepath.Join(work, storageDir), filepath.Join(t.Data, storageDir)); err != nil {
			return err
		}
	}
	metadata := filepath.Join(work, metadataFile)
	if db.IsPostgres(t.Database) {
		if err := carry(ctx, metadata, t.Database); err != nil {
			return err
		}
	} else if err := os.Rename(metadata, t.Database); err != nil {
		return err
	}
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	return syncDir(t.Data)
}

// carry brings the metadata of a SQLite file into a PostgreSQL database.
func carry(ctx context.Context, file, url string) (err error) {
	from, err := db.Open(ctx, file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := db.Open(ctx, url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	_, err = db.Carry(ctx, from, to)
	return err
}

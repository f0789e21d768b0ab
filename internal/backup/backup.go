// Package backup copies what a server keeps, while it runs, and brings it back.
//
// A backup is a directory:
//
//	manifest.json     what it is of; written last, so a backup without it is none
//	metadata.db       the metadata database, a SQLite file whatever it was before
//	locations.jsonl   where each asset is stored, one a line
//	checksums         SHA-256 of every other file, as sha256sum prints and checks them
//	storage/          the files of the default storage, where they were asked for
//
// The operator's key is never in it: without that key nobody opens the keys of encrypted arrays and the secrets of
// credentials that the database holds, so it is to be kept elsewhere. The manifest has its fingerprint.
package backup

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"azulejo/internal/db"
)

// Error classes.
var (
	// ErrOccupied means that there is something already where a backup or what it holds is to go.
	ErrOccupied = errors.New("not empty")
	// ErrDamaged means that a backup is incomplete or not what was written.
	ErrDamaged = errors.New("the backup is damaged")
)

// The files of a backup.
const (
	manifestFile  = "manifest.json"
	metadataFile  = "metadata.db"
	locationsFile = "locations.jsonl"
	checksumsFile = "checksums"
	storageDir    = "storage"
)

// format is the version of the layout of backups.
const format = 1

// Manifest describes a backup.
type Manifest struct {
	Format int `json:"format"`
	// CreatedAt is when the metadata were as they are in it, UTC.
	CreatedAt time.Time `json:"created_at"`
	// Database is "sqlite" or "postgresql": what the server used.
	Database string `json:"database"`
	// Data is the data directory of the server.
	Data string `json:"data"`
	// Users and Assets count those in the metadata.
	Users  int `json:"users"`
	Assets int `json:"assets"`
	// Sealed counts the keys and secrets that only the operator's key opens, KeyFingerprint says which one: see Fingerprint.
	Sealed         int    `json:"sealed"`
	KeyFingerprint string `json:"key_fingerprint"`
	// Storage tells that the files of the default storage were copied: so many, and bytes.
	Storage bool  `json:"storage"`
	Files   int   `json:"files"`
	NBytes  int64 `json:"bytes"`
	// Checksums is the SHA-256 of the file of checksums.
	Checksums string `json:"checksums_sha256"`
}

// Source is what a backup is made of.
type Source struct {
	DB *db.DB
	// Data is the data directory, Key the operator's key, nil when there is none.
	Data string
	Key  []byte
	Now  func() time.Time
}

// Fingerprint names an operator's key without telling anything of it, which holds for keys of 32 random bytes; empty for no key.
func Fingerprint(key []byte) string {
	if len(key) == 0 {
		return ""
	}
	sum := sha256.Sum256(append([]byte("azulejo operator key\x00"), key...))
	return hex.EncodeToString(sum[:16])
}

// writer makes one backup.
type writer struct {
	source   Source
	to       string
	sums     *bufio.Writer
	manifest Manifest
}

// Make writes a backup into the directory to, which must be empty or not exist; servers may run meanwhile. With storage the
// files of the default storage are copied as well, else the backup only says where they are. Error class: ErrOccupied.
func Make(ctx context.Context, s Source, to string, storage bool) (Manifest, error) {
	to, err := filepath.Abs(to)
	if err != nil {
		return Manifest{}, fmt.Errorf("backup: %w", err)
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return Manifest{}, fmt.Errorf("backup: %w", err)
	}
	if left, err := os.ReadDir(to); err != nil || len(left) > 0 {
		return Manifest{}, errors.Join(fmt.Errorf("backup to %s: %w", to, ErrOccupied), err)
	}
	data, err := filepath.Abs(s.Data)
	if err != nil {
		return Manifest{}, fmt.Errorf("backup: %w", err)
	}
	w := &writer{source: s, to: to, manifest: Manifest{Format: format, Database: "sqlite", Data: data, Storage: storage, CreatedAt: s.Now().UTC().Truncate(time.Second),
		KeyFingerprint: Fingerprint(s.Key)}}
	if s.DB.Shared() {
		w.manifest.Database = "postgresql"
	}
	err = w.all(ctx)
	return w.manifest, err
}

func (w *writer) all(ctx context.Context) (err error) {
	sums, digest, err := create(filepath.Join(w.to, checksumsFile))
	if err != nil {
		return err
	}
	w.sums = bufio.NewWriter(io.MultiWriter(sums, digest))
	if err = w.content(ctx); err == nil {
		err = w.sums.Flush()
	}
	if err = errors.Join(err, finish(sums, err)); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	w.manifest.Checksums = hex.EncodeToString(digest.Sum(nil))
	text, err := json.MarshalIndent(w.manifest, "", "  ")
	if err == nil {
		err = writeWhole(filepath.Join(w.to, manifestFile), append(text, '\n'))
	}
	if err == nil {
		err = syncDir(w.to)
	}
	return err
}

// content writes everything that has a checksum.
func (w *writer) content(ctx context.Context) error {
	metadata := filepath.Join(w.to, metadataFile)
	if err := w.source.DB.Backup(ctx, metadata); err != nil {
		return err
	}
	if err := w.locations(ctx, metadata); err != nil {
		return err
	}
	if w.manifest.Storage {
		c := &copier{from: filepath.Join(w.source.Data, storageDir), to: filepath.Join(w.to, storageDir), copied: w.copied}
		if err := c.all(ctx); err != nil {
			return err
		}
	}
	// Only now, as opening it above may have changed it.
	sum, _, err := sumFile(metadata)
	if err != nil {
		return err
	}
	return w.note(metadataFile, sum)
}

// note adds a line to the checksums.
func (w *writer) note(name, sum string) error {
	if strings.ContainsAny(name, "\n\r") {
		return fmt.Errorf("%q: a file whose name has a line break cannot be in a backup; rename it", name)
	}
	_, err := fmt.Fprintf(w.sums, "%s  %s\n", sum, name)
	return err
}

// copied notes a file of the storage.
func (w *writer) copied(rel, sum string, n int64) error {
	w.manifest.Files++
	w.manifest.NBytes += n
	return w.note(filepath.Join(storageDir, rel), sum)
}

// location is one line of the file of locations.
type location struct {
	ID        string `json:"id"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Kind      string `json:"kind"`
	State     string `json:"state"`
	URI       string `json:"uri"`
	// Inside tells that it lies in the default storage, which a backup can hold.
	Inside bool `json:"inside"`
}

// locations writes where the assets of the copied metadata are, and counts what the manifest tells.
func (w *writer) locations(ctx context.Context, metadata string) (err error) {
	d, err := db.Open(ctx, metadata)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if w.manifest.Users, err = d.Users(ctx); err != nil {
		return err
	}
	err = d.Read().QueryRowContext(ctx, `SELECT (SELECT count(*) FROM assets WHERE length(sealed_key) > 0) + (SELECT count(*) FROM credentials)
		+ (SELECT count(*) FROM second_factors)`).Scan(&w.manifest.Sealed)
	if err != nil {
		return err
	}
	file, digest, err := create(filepath.Join(w.to, locationsFile))
	if err != nil {
		return err
	}
	out := bufio.NewWriter(io.MultiWriter(file, digest))
	if err = w.eachLocation(ctx, d, json.NewEncoder(out).Encode); err == nil {
		err = out.Flush()
	}
	if err = errors.Join(err, finish(file, err)); err != nil {
		return err
	}
	return w.note(locationsFile, hex.EncodeToString(digest.Sum(nil)))
}

func (w *writer) eachLocation(ctx context.Context, d *db.DB, write func(any) error) error {
	rows, err := d.Read().QueryContext(ctx, `SELECT a.id, n.name, a.name, a.kind, a.state, a.root, a.path FROM assets a
		JOIN namespaces n ON n.id = a.namespace_id ORDER BY a.id`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var l location
		var root, path string
		if err := rows.Scan(&l.ID, &l.Namespace, &l.Name, &l.Kind, &l.State, &root, &path); err != nil {
			return err
		}
		if l.Inside = root == "default"; l.Inside {
			path = filepath.Join(w.manifest.Data, storageDir, path)
		}
		if l.URI = path; filepath.IsAbs(path) {
			l.URI = "file://" + path
		}
		w.manifest.Assets++
		if err := write(l); err != nil {
			return err
		}
	}
	return rows.Err()
}

// create makes a new file that only its owner may read, and the digest to write the same bytes to.
func create(path string) (*os.File, hash.Hash, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	return file, sha256.New(), err
}

// finish closes a file, durably unless err says that it is of no use.
func finish(file *os.File, err error) error {
	if err == nil {
		err = file.Sync()
	} else {
		err = nil
	}
	return errors.Join(err, file.Close())
}

func writeWhole(path string, content []byte) error {
	file, _, err := create(path)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	return errors.Join(err, finish(file, err))
}

// syncDir makes the names in a directory durable.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// sumFile returns the SHA-256 and the length of a file.
func sumFile(path string) (sum string, n int64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer file.Close()
	digest := sha256.New()
	n, err = io.Copy(digest, file)
	return hex.EncodeToString(digest.Sum(nil)), n, err
}

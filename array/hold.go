package array

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"azulejo/format"
	"azulejo/metadata"
	"azulejo/vfs"
)

// holdPrefix begins the name of a file in the array's own folder that keeps a snapshot readable until a time. libtiledb
// does not look at names there without an underscore. The file's lines are the interval and the file name of the schema,
// and then what Pin returns.
//
//	.azulejo-reading-<end in milliseconds>-<owner>-<identifier>
//
// A snapshot that is held does not need the commits of its fragments, only their folders. Who removes fragments takes
// their commits away first and looks for holds then; who makes a hold writes it first and looks for the commits then. So
// of two at the same time at least one sees the other, and neither waits.
const holdPrefix = metadata.OwnPrefix + "reading-"

const (
	// maxOwnHolds is how many snapshots of an array one owner can hold; another one takes the place of the one that would
	// end next.
	maxOwnHolds = 256
	// maxHolds is how many snapshots of an array can be held.
	maxHolds = 4096
)

// ErrHolds: no more snapshots of the array can be held.
var ErrHolds = errors.New("too many reads of the array are under way")

var ownerForm = regexp.MustCompile(`^[0-9a-f]{1,64}$`)

// Hold is a snapshot that stays readable while others vacuum and delete fragments.
type Hold struct {
	// ID is its random name and Owner who made it, as lower-case hexadecimal digits.
	ID, Owner string
	// Until is when it ends unless it is renewed.
	Until time.Time
}

// file returns the name of its file.
func (h Hold) file() string {
	return fmt.Sprintf("%s%d-%s-%s", holdPrefix, h.Until.UnixMilli(), h.Owner, h.ID)
}

// parseHold returns the hold that a file stands for.
func parseHold(file string) (Hold, bool) {
	rest, ok := strings.CutPrefix(file, holdPrefix)
	parts := strings.Split(rest, "-")
	if !ok || len(parts) != 3 {
		return Hold{}, false
	}
	until, err := strconv.ParseInt(parts[0], 10, 64)
	return Hold{ID: parts[2], Owner: parts[1], Until: time.UnixMilli(until)}, err == nil
}

// Hold keeps the snapshot readable until a time, for Open with WithHold; Hold.Release ends that. Owner is 1 to 64 lower-case
// hexadecimal digits. The error wraps ErrSnapshotLost when something of it is gone already: then a new listing helps. It
// wraps ErrHolds when there are too many.
func (a *Array) Hold(ctx context.Context, owner string, until time.Time) (Hold, error) {
	if !ownerForm.MatchString(owner) {
		return Hold{}, &Error{"hold", a.URI, fmt.Errorf("%w: owner %q", ErrInvalid, owner)}
	}
	if err := a.roomForHold(ctx, owner); err != nil {
		return Hold{}, err
	}
	var random [16]byte
	rand.Read(random[:])
	h := Hold{ID: hex.EncodeToString(random[:]), Owner: owner, Until: until}
	lines := []string{strconv.FormatUint(a.At.Start, 10), strconv.FormatUint(a.At.End, 10), a.schemaFile}
	content, err := format.EncodeLines(append(lines, a.Pin()...))
	if err != nil {
		return Hold{}, err
	}
	if err := vfs.WriteAll(ctx, a.FS, vfs.Join(a.URI, h.file()), content); err != nil {
		return Hold{}, err
	}
	if err := a.allThere(ctx); err != nil {
		return Hold{}, errors.Join(err, h.Release(ctx, a)) // what was deleted meanwhile may have stayed for it
	}
	return h, nil
}

// allThere looks once more whether all that the snapshot has is committed.
func (a *Array) allThere(ctx context.Context) error {
	d, err := readDirectory(ctx, a.FS, a.URI, true)
	if err != nil {
		return err
	}
	all, err := d.committed(ctx)
	if err == nil {
		_, _, err = all.pick(a.URI, a.Pin(), false)
	}
	return classify(err)
}

// roomForHold removes the holds that have ended, and one more of an owner who has too many.
func (a *Array) roomForHold(ctx context.Context, owner string) error {
	root, err := a.FS.List(ctx, a.URI)
	if err != nil {
		return err
	}
	now, all, own := time.Now(), 0, 0
	var next Hold
	for _, e := range root {
		h, ok := parseHold(e.Name)
		if !ok {
			continue
		}
		if !now.Before(h.Until) {
			if err := a.FS.Remove(ctx, vfs.Join(a.URI, e.Name)); err != nil {
				return err
			}
			continue
		}
		if all++; h.Owner == owner {
			if own++; own == 1 || h.Until.Before(next.Until) {
				next = h
			}
		}
	}
	if own < maxOwnHolds {
		if all >= maxHolds {
			return &Error{"hold", a.URI, fmt.Errorf("%w: %d", ErrHolds, all)}
		}
		return nil
	}
	return a.FS.Remove(ctx, vfs.Join(a.URI, next.file()))
}

// Held returns the hold with which the array was opened.
func (a *Array) Held() (Hold, bool) { return a.hold, a.hold.ID != "" }

// Renew gives a hold another end.
func (h Hold) Renew(ctx context.Context, a *Array, until time.Time) error {
	old := vfs.Join(a.URI, h.file())
	content, err := vfs.ReadAll(ctx, a.FS, old)
	if err != nil {
		return err
	}
	h.Until = until
	if err := vfs.WriteAll(ctx, a.FS, vfs.Join(a.URI, h.file()), content); err != nil && !errors.Is(err, vfs.ErrExist) {
		return err
	}
	return a.FS.Remove(ctx, old)
}

// Release ends a hold, and removes the fragments that were deleted meanwhile.
func (h Hold) Release(ctx context.Context, a *Array) error {
	root, err := a.FS.List(ctx, a.URI)
	if err != nil {
		return err
	}
	deleted := false
	for _, e := range root {
		deleted = deleted || strings.HasPrefix(e.Name, deletedPrefix)
		// Renewed, it has another name, and for a moment two.
		if x, ok := parseHold(e.Name); ok && x.ID == h.ID {
			if err := a.FS.Remove(ctx, vfs.Join(a.URI, e.Name)); err != nil {
				return err
			}
		}
	}
	if !deleted {
		return nil
	}
	return SweepDeleted(ctx, a.FS, a.URI)
}

// WithHold opens the snapshot that a hold keeps, whatever the interval says. The error wraps ErrSnapshotLost when the hold
// has ended.
func WithHold(id string) Option {
	return func(o *options) { o.hold = id }
}

// openHold finds a hold by its identifier and takes over interval, schema and names from it.
func (a *Array) openHold(ctx context.Context, o *options) (schemaFile string, err error) {
	for _, e := range a.dir.root {
		h, ok := parseHold(e.Name)
		if ok && h.ID == o.hold && h.Until.After(a.hold.Until) {
			a.hold = h
		}
	}
	lost := func(why string) error {
		return &Error{"open", a.URI, fmt.Errorf("%w: %s", ErrSnapshotLost, why)}
	}
	if a.hold.ID == "" || !time.Now().Before(a.hold.Until) {
		return "", lost("too much time passed since its last request, or it has ended")
	}
	lines, err := readHold(ctx, a.FS, vfs.Join(a.URI, a.hold.file()))
	if err != nil {
		return "", err
	}
	for i, bound := range []*uint64{&a.At.Start, &a.At.End} {
		if *bound, err = strconv.ParseUint(lines[i], 10, 64); err != nil {
			return "", &format.Error{URI: vfs.Join(a.URI, a.hold.file()), Field: "interval", Err: format.ErrCorrupt}
		}
	}
	o.pinned, o.names = true, lines[3:]
	return lines[2], nil
}

// heldFragment returns where a fragment of a held snapshot is, the commit of which may be gone.
func heldFragment(name string) (located, error) {
	n, err := format.ParseName(name)
	return located{Name: n, file: name, inRoot: n.Version < commitFolderVersion}, err
}

// readHold returns the lines of a hold, at least the three that are not names.
func readHold(ctx context.Context, fs vfs.FS, uri string) ([]string, error) {
	content, err := vfs.ReadAll(ctx, fs, uri)
	if err != nil {
		return nil, err
	}
	lines, err := format.DecodeLines(content)
	if err == nil && len(lines) < 3 {
		err = &format.Error{Field: "lines", Err: format.ErrCorrupt}
	}
	return lines, format.WithURI(err, uri)
}

// HeldFragments returns the names of all fragments and deletes in snapshots that are held now.
func HeldFragments(ctx context.Context, fs vfs.FS, uri string) (map[string]bool, error) {
	uri = vfs.Trim(uri)
	for {
		held, err := listHeld(ctx, fs, uri)
		// One that is gone was released or renewed: then a new listing has it by its new name.
		if !errors.Is(err, vfs.ErrNotExist) {
			return held, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

// listHeld is HeldFragments for one listing.
func listHeld(ctx context.Context, fs vfs.FS, uri string) (map[string]bool, error) {
	root, err := fs.List(ctx, uri)
	if err != nil {
		return nil, err
	}
	now, held := time.Now(), map[string]bool{}
	for _, e := range root {
		h, ok := parseHold(e.Name)
		if !ok || !now.Before(h.Until) {
			continue
		}
		lines, err := readHold(ctx, fs, vfs.Join(uri, e.Name))
		if err != nil {
			return nil, err
		}
		for _, name := range lines[3:] {
			held[name] = true
		}
	}
	return held, nil
}

package array

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"azulejo/format"
	"azulejo/metadata"
	"azulejo/vfs"
)

// pendingPrefix begins the name of a file that announces a fragment which replaces others; the fragment's name follows. It
// lies in the array's own folder, where libtiledb does not look at names without an underscore, from before the fragment's
// first file until the vacuum file is there that hides the others. So the commit of the fragment is also the moment from
// which they are hidden, and what a process that died left behind is known by name.
const pendingPrefix = metadata.OwnPrefix + "consolidate-"

// Pending is a consolidation under way, or one that broke off.
type Pending struct {
	// Path is the announcement's file and Fragment the new fragment's name.
	Path, Fragment string
	// Since is when it was begun.
	Since time.Time
	// Hidden are the paths of the fragments that it replaces, as vacuum files have them.
	Hidden []string
}

// Announce says that a fragment is about to be written that replaces others; Settle ends that.
func Announce(ctx context.Context, fs vfs.FS, uri, fragmentName string, hidden []string) (*Pending, error) {
	p := &Pending{Path: pendingPrefix + fragmentName, Fragment: fragmentName, Since: time.Now(), Hidden: hidden}
	content, err := format.EncodeLines(append([]string{strconv.FormatInt(p.Since.UnixMilli(), 10)}, hidden...))
	if err != nil {
		return nil, err
	}
	return p, vfs.WriteAll(ctx, fs, vfs.Join(uri, p.Path), content)
}

// Settle writes the vacuum file of an announced fragment that is committed and removes the announcement.
func (p *Pending) Settle(ctx context.Context, fs vfs.FS, uri string) error {
	if len(p.Hidden) > 0 {
		content, err := format.EncodeLines(p.Hidden)
		if err != nil {
			return err
		}
		err = vfs.WriteAll(ctx, fs, vfs.Join(uri, commitsDir, p.Fragment+vacuumExt), content)
		if err != nil && !errors.Is(err, vfs.ErrExist) {
			return err
		}
	}
	return fs.Remove(ctx, vfs.Join(uri, p.Path))
}

// Drop removes what is there of an announced fragment that is not committed, and the announcement.
func (p *Pending) Drop(ctx context.Context, fs vfs.FS, uri string) error {
	if err := fs.Remove(ctx, vfs.Join(uri, fragmentsDir, p.Fragment)); err != nil {
		return err
	}
	return fs.Remove(ctx, vfs.Join(uri, p.Path))
}

// pending reads the announcements in the array's own folder. One that went away meanwhile was settled.
func (d *directory) pending(ctx context.Context) ([]Pending, error) {
	var all []Pending
	for _, e := range d.root {
		name, ok := strings.CutPrefix(e.Name, pendingPrefix)
		if !ok || e.Dir {
			continue
		}
		uri := vfs.Join(d.uri, e.Name)
		content, err := vfs.ReadAll(ctx, d.fs, uri)
		if errors.Is(err, vfs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		lines, err := format.DecodeLines(content)
		if err != nil {
			return nil, format.WithURI(err, uri)
		}
		p := Pending{Path: e.Name, Fragment: name}
		if len(lines) > 0 {
			millis, err := strconv.ParseInt(lines[0], 10, 64)
			if err != nil {
				return nil, &format.Error{URI: uri, Field: "time", Err: format.ErrCorrupt}
			}
			p.Since, p.Hidden = time.UnixMilli(millis), lines[1:]
		}
		all = append(all, p)
	}
	return all, nil
}

// hidePending adds what announced fragments that are committed replace: a vacuum file will list it, or does already.
func (d *directory) hidePending(ctx context.Context, hidden map[string]bool, committed *commits, counts func(format.Name) bool) error {
	all, err := d.pending(ctx)
	for _, p := range all {
		if l, ok := committed.fragment(p.Fragment); ok && counts(l.Name) {
			for _, path := range p.Hidden {
				hidden[vfs.Base(path)] = true
			}
		}
	}
	return err
}

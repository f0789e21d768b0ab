package array

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"azulejo/filter"
	"azulejo/format"
	"azulejo/metadata"
	"azulejo/schema"
	"azulejo/vfs"
)

// claimFile says that somebody is making an array here. It lies in the array's own folder, where libtiledb does not look
// at names without an underscore, and goes away when the array is made. Claims are numbered: one whose owner seems to
// have died is followed by the next number, never replaced.
const claimFile = metadata.OwnPrefix + "create-"

// claimAge is the time after which a claim's owner is taken for dead.
const claimAge = 15 * time.Second

// maxClaims bounds the claims tried before giving up.
const maxClaims = 100

// Create makes an array: its folders, the files of the schema's loaded enumerations and, last, its schema file, with
// which it exists. Every enumeration gets a new File; the timestamps in s.Name are used when it is set, else the clock's. Of several calls for one URI at a time at most one succeeds, the others get ErrExists. Leftovers of a
// deletion or creation that was interrupted are removed. The error wraps ErrExists, ErrInvalid or ErrUnsupported.
func Create(ctx context.Context, fs vfs.FS, uri string, s *schema.Array, opts ...Option) error {
	return classify(create(ctx, fs, vfs.Trim(uri), s, collect(opts).key))
}

func create(ctx context.Context, fs vfs.FS, uri string, s *schema.Array, key *filter.Key) error {
	err := s.Check()
	if err == nil {
		err = supported(s)
	}
	for _, name := range s.EnumerationNames {
		if s.Enumerations[name] == nil && err == nil {
			err = fmt.Errorf("%w: enumeration %q without labels", ErrInvalid, name)
		}
	}
	if err != nil {
		return &Error{"create", uri, err}
	}
	if s.CellOrder != schema.Hilbert { // there libtiledb keeps dimensions without an extent
		stored := *s
		stored.FillExtents()
		s = &stored
	}
	s = withImages(s)
	root, err := fs.List(ctx, uri)
	if err != nil {
		return err
	}
	if err := vacant(ctx, fs, uri, root); err != nil {
		return err
	}
	claims, err := claim(ctx, fs, uri)
	if err != nil {
		return err
	}
	err = createClaimed(ctx, fs, uri, s, key)
	if err != nil {
		claims = claims[len(claims)-1:] // the others are for the next one to step over
	}
	for _, c := range claims {
		err = errors.Join(err, fs.Remove(context.WithoutCancel(ctx), c))
	}
	return err
}

// withImages returns the schema with the sizes of WebP images filled in; s is left as it is.
func withImages(s *schema.Array) *schema.Array {
	filled := *s
	filled.FillImages()
	return &filled
}

// vacant returns an error when there is an array or a group.
func vacant(ctx context.Context, fs vfs.FS, uri string, root []vfs.Entry) error {
	for _, e := range root {
		if e.Name == "__tiledb_group.tdb" || e.Name == "__group" {
			return &Error{"create", uri, fmt.Errorf("group %w", ErrExists)}
		}
	}
	switch exists, err := Exists(ctx, fs, uri); {
	case err != nil:
		return err
	case exists:
		return &Error{"create", uri, fmt.Errorf("array %w", ErrExists)}
	}
	return nil
}

// claim makes a claim on the URI and returns its file as the last one of those of abandoned claims.
func claim(ctx context.Context, fs vfs.FS, uri string) (files []string, err error) {
	now := time.Now()
	for n := range maxClaims {
		file := vfs.Join(uri, claimFile+strconv.Itoa(n))
		files = append(files, file)
		err := vfs.WriteAll(ctx, fs, file, strconv.AppendInt(nil, now.UnixMilli(), 10))
		if !errors.Is(err, vfs.ErrExist) {
			return files, err
		}
		content, err := vfs.ReadAll(ctx, fs, file)
		if errors.Is(err, vfs.ErrNotExist) {
			break // its owner is done just now
		}
		if err != nil {
			return nil, err
		}
		made, err := strconv.ParseInt(string(content), 10, 64)
		if err == nil && now.Sub(time.UnixMilli(made)) < claimAge {
			break
		}
	}
	return nil, &Error{"create", uri, fmt.Errorf("array %w: it is being created", ErrExists)}
}

// createClaimed makes the array, unless it was made before the claim.
func createClaimed(ctx context.Context, fs vfs.FS, uri string, s *schema.Array, key *filter.Key) error {
	root, err := fs.List(ctx, uri)
	if err != nil {
		return err
	}
	if err := vacant(ctx, fs, uri, root); err != nil {
		return err
	}
	for _, dir := range append([]string{schemaDir}, folders()...) {
		full, err := fs.List(ctx, vfs.Join(uri, dir))
		if err != nil {
			return err
		}
		if len(full) > 0 {
			// Without a schema nothing in here can be read, but it would become part of the new array.
			if err := fs.Remove(ctx, vfs.Join(uri, dir)); err != nil {
				return err
			}
		}
	}
	for _, dir := range folders() {
		if err := fs.MakeDir(ctx, vfs.Join(uri, dir)); err != nil {
			return err
		}
	}
	for i := range s.Labels {
		l := &s.Labels[i]
		if err := create(ctx, fs, vfs.Join(uri, l.URI), s.LabelArray(l), key); err != nil {
			return fmt.Errorf("dimension label %q: %w", l.Name, err)
		}
	}
	name := format.Name{}
	if s.Name != "" {
		if name, err = format.ParseName(s.Name); err != nil {
			return &Error{"create", uri, fmt.Errorf("%w: schema name %q", ErrInvalid, s.Name)}
		}
	}
	_, err = storeSchema(ctx, fs, uri, key, s, s.Enumerations, name.Start, name.End)
	return err
}

// storeSchema writes the given enumerations and then the schema, at a time in milliseconds, 0 for now. It returns the
// schema's file name. s is left as it is.
func storeSchema(ctx context.Context, fs vfs.FS, uri string, key *filter.Key, s *schema.Array, enums map[string]*schema.Enumeration, start, end uint64) (string, error) {
	c := *s
	c.EnumerationFiles = map[string]string{}
	var ws []vfs.Writer
	for _, name := range s.EnumerationNames {
		e := enums[name]
		if e == nil {
			c.EnumerationFiles[name] = s.EnumerationFiles[name]
			continue
		}
		stored := *e
		// A name of our own: caches rely on names that no other content ever had, and the caller's may come from afar.
		stored.File = format.NewEnumerationName()
		c.EnumerationFiles[name] = stored.File
		content, err := format.EncodeEnumeration(&stored)
		if err == nil {
			content, err = format.Encrypt(key, content)
		}
		if err == nil {
			ws, err = begin(ctx, fs, vfs.Join(uri, enumerationsDir, stored.File), content, ws)
		}
		if err != nil {
			return "", errors.Join(err, abort(ws))
		}
	}
	if err := vfs.CommitAll(ctx, fs, ws); err != nil {
		return "", err
	}
	content, err := format.EncodeArraySchema(&c)
	if err == nil {
		content, err = format.Encrypt(key, content)
	}
	if err != nil {
		return "", err
	}
	if end == 0 {
		start = uint64(time.Now().UnixMilli())
		end = start
	}
	name := format.NewNameIn(ctx, start, end, 0).String()
	return name, vfs.WriteAll(ctx, fs, vfs.Join(uri, schemaDir, name), content)
}

// begin adds a writer with the content of a new file to ws.
func begin(ctx context.Context, fs vfs.FS, uri string, content []byte, ws []vfs.Writer) ([]vfs.Writer, error) {
	w, err := fs.Create(ctx, uri)
	if err != nil {
		return ws, err
	}
	_, err = w.Write(content)
	return append(ws, w), err
}

// abort drops files that were begun.
func abort(ws []vfs.Writer) error {
	var err error
	for _, w := range ws {
		err = errors.Join(err, w.Abort())
	}
	return err
}

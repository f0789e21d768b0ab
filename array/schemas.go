package array

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"azulejo/filter"
	"azulejo/format"
	"azulejo/internal/cache"
	"azulejo/schema"
	"azulejo/vfs"
)

// SchemaOf returns the schema with a file name in __schema, such as a fragment names; its enumerations are not loaded.
func (a *Array) SchemaOf(ctx context.Context, name string) (*schema.Array, error) {
	if a.Schema != nil && a.Schema.Name == name {
		return a.Schema, nil
	}
	if _, err := format.ParseName(name); err != nil && name != oldSchemaFile {
		// Who names the schema adds its own URI.
		return nil, &format.Error{Field: "schema name", Err: err}
	}
	uri := a.dir.schemaURI(name)
	kept := a.Kept()
	if name == oldSchemaFile {
		kept = nil // another array made there later has a file of this name too
	}
	s, err := cache.Load(kept, a.cacheName(uri), func() (*schema.Array, int64, error) { return a.readSchema(ctx, uri, name) })
	if errors.Is(err, vfs.ErrNotExist) {
		return nil, &Error{"open", uri, fmt.Errorf("%w: missing schema: %w", ErrCorrupt, err)}
	}
	return s, classify(err)
}

// readSchema reads and checks a schema file; nBytes estimates its memory.
func (a *Array) readSchema(ctx context.Context, uri, name string) (s *schema.Array, nBytes int64, err error) {
	content, err := a.readFile(ctx, uri)
	if err != nil {
		return nil, 0, err
	}
	if s, err = format.DecodeArraySchema(content); err != nil {
		return nil, 0, format.WithURI(err, uri)
	}
	if err := s.CheckStored(); err != nil {
		return nil, 0, &Error{"open", uri, fmt.Errorf("%w: %w", ErrCorrupt, err)}
	}
	s.Name = strings.Clone(name) // which is a part of all names of a listing
	return s, int64(len(content))*8 + 4096, nil
}

// Schemas returns every schema of the array by file name, those outside the interval included.
func (a *Array) Schemas(ctx context.Context) (map[string]*schema.Array, error) {
	all := map[string]*schema.Array{}
	for _, name := range a.dir.schemas {
		s, err := a.SchemaOf(ctx, name)
		if err != nil {
			return nil, err
		}
		all[name] = s
	}
	return all, nil
}

// Enumeration returns an enumeration of the snapshot's schema by its name, read when it is first asked for.
func (a *Array) Enumeration(ctx context.Context, name string) (*schema.Enumeration, error) {
	e, err := a.enumeration(ctx, a.Schema, name)
	return e, classify(err)
}

func (a *Array) enumeration(ctx context.Context, s *schema.Array, name string) (*schema.Enumeration, error) {
	if e, ok := s.Enumerations[name]; ok {
		return e, nil
	}
	file, ok := s.EnumerationFiles[name]
	if !ok {
		return nil, &Error{"open", a.URI, fmt.Errorf("%w: no enumeration %q", ErrInvalid, name)}
	}
	if _, err := format.ParseName(file); err != nil {
		return nil, err
	}
	uri := vfs.Join(a.URI, enumerationsDir, file)
	e, err := cache.Load(a.Kept(), a.cacheName(uri), func() (*schema.Enumeration, int64, error) {
		content, err := a.readFile(ctx, uri)
		if err != nil {
			return nil, 0, err
		}
		e, err := format.DecodeEnumeration(content)
		if err != nil {
			return nil, 0, format.WithURI(err, uri)
		}
		if err := e.Check(); err != nil {
			return nil, 0, &Error{"open", uri, fmt.Errorf("%w: %w", ErrCorrupt, err)}
		}
		return e, int64(len(e.Data)+8*len(e.Offsets)) + 512, nil
	})
	if errors.Is(err, vfs.ErrNotExist) {
		return nil, &Error{"open", uri, fmt.Errorf("%w: missing enumeration: %w", ErrCorrupt, err)}
	}
	if err == nil && e.Name != name {
		return nil, &Error{"open", uri, fmt.Errorf("%w: holds enumeration %q, the schema says %q", ErrCorrupt, e.Name, name)}
	}
	return e, err
}

// WithEnumerations returns a copy of a schema of this array with the named enumerations loaded, all of them when no name
// is given; s is left as it is.
func (a *Array) WithEnumerations(ctx context.Context, s *schema.Array, names ...string) (*schema.Array, error) {
	if len(names) == 0 {
		names = s.EnumerationNames
	}
	loaded := maps.Clone(s.Enumerations)
	if loaded == nil {
		loaded = map[string]*schema.Enumeration{}
	}
	for _, name := range names {
		e, err := a.enumeration(ctx, s, name)
		if err != nil {
			return nil, classify(err)
		}
		loaded[name] = e
	}
	c := *s
	c.Enumerations = loaded
	return &c, nil
}

// supported refuses schemas whose arrays this build cannot read and write correctly, with ErrUnsupported naming what.
func supported(s *schema.Array) error {
	for i := range s.Attributes {
		if err := runnable(s.Attributes[i].Filters, "attribute "+s.Attributes[i].Name); err != nil {
			return err
		}
	}
	for i := range s.Domain.Dimensions {
		if err := runnable(s.DimensionFilters(i), "dimension "+s.Domain.Dimensions[i].Name); err != nil {
			return err
		}
	}
	return errors.Join(runnable(s.OffsetsFilters, "offsets"), runnable(s.ValidityFilters, "validity"))
}

// runnable refuses a pipeline with a filter that this build lacks.
func runnable(p filter.Pipeline, field string) error {
	i := slices.IndexFunc(p.Filters, func(f filter.Spec) bool { return !f.Code.Supported() })
	if i < 0 {
		return nil
	}
	return fmt.Errorf("%w: filter %v of %s", ErrUnsupported, p.Filters[i].Code, field)
}

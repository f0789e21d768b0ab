package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"azulejo/array"
	"azulejo/filter"
	"azulejo/format"
	"azulejo/group"
	"azulejo/schema"
	"azulejo/vfs"
	"azulejo/vfs/file"
)

// fs is where the corpora are.
var fs vfs.FS = file.New()

// reader performs the reads of one case.
type reader struct {
	corpus, out string
	// cells bounds the cells of one part of a result; 0 means no bound.
	cells int
	// done counts the reads that were answered, or refused as they must be.
	done int
}

// errNotRefused is the error of a read that libtiledb refuses and this library answers.
var errNotRefused = errors.New("must be refused, was answered")

// run performs all reads and returns the errors of those that could not be.
func (r *reader) run(ctx context.Context, c *testCase) []error {
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return []error{err}
	}
	var errs []error
	for i := range c.Reads {
		if err := r.one(ctx, c, i); err != nil {
			errs = append(errs, fmt.Errorf("read %d (%s of %s): %w", i, c.Reads[i].Op, c.Reads[i].Data, err))
			continue
		}
		r.done++
	}
	return errs
}

func (r *reader) one(ctx context.Context, c *testCase, i int) error {
	rd := &c.Reads[i]
	key, err := c.key()
	if rd.Op == "open" && err == nil {
		key, err = keyOf(rd.Key)
	}
	if err != nil {
		return err
	}
	root, err := filepath.Abs(filepath.Join(r.corpus, c.Dir))
	if err == nil {
		// Absolute members name the real directory.
		root, err = filepath.EvalSymlinks(root)
	}
	if err != nil {
		return err
	}
	result, err := r.result(ctx, root, rd, key)
	if rd.Expected == "" {
		if err == nil {
			return errNotRefused
		}
		if _, missing := featureOf(err); missing {
			return err
		}
		return writeJSON(filepath.Join(r.out, fmt.Sprintf("error-%d.json", i)), object{"error": err.Error()})
	}
	if err != nil {
		return err
	}
	path := filepath.Join(r.out, filepath.Base(rd.Expected))
	if cells, ok := result.(*cells); ok {
		return cells.write(path)
	}
	return writeJSON(path, result)
}

// result performs a read and returns *cells or what its JSON file must hold.
func (r *reader) result(ctx context.Context, root string, rd *read, key *filter.Key) (any, error) {
	data := filepath.Join(root, rd.Data)
	uri := filepath.Join(data, filepath.FromSlash(rd.Sub))
	at := array.Latest()
	if len(rd.OpenAt) == 2 {
		at = array.Interval{Start: rd.OpenAt[0], End: rd.OpenAt[1]}
	}
	switch rd.Op {
	case "group_members", "group_metadata":
		g, err := group.Open(ctx, fs, uri, at, group.WithKey(key))
		if err != nil {
			return nil, err
		}
		if rd.Op == "group_members" {
			return describeMembers(g, data, filepath.Join(root, "data")), nil
		}
		entries, err := g.Metadata(ctx)
		return describeMetadata(entries), err
	case "schema", "array_metadata":
		return readAbout(ctx, uri, at, rd.Op, array.WithKey(key))
	case "fragments":
		at = array.Latest()
	case "read", "aggregate", "non_empty_domain", "open":
	default:
		return nil, fmt.Errorf("unknown operation %q", rd.Op)
	}
	a, err := array.Open(ctx, fs, uri, at, array.WithKey(key))
	if err != nil {
		return nil, err
	}
	switch rd.Op {
	case "read":
		return readCells(ctx, a, rd, r.cells)
	case "aggregate":
		return aggregate(ctx, a, rd)
	case "open":
		return nil, nil
	case "fragments":
		return describeFragments(ctx, a)
	}
	ned := a.NonEmptyDomain()
	if ned == nil {
		return nil, nil
	}
	return describeRanges(a.Schema, ned), nil
}

// readAbout returns the schema or the metadata of an array; neither looks at fragments.
func readAbout(ctx context.Context, uri string, at array.Interval, op string, opts ...array.Option) (any, error) {
	a, err := array.Open(ctx, fs, uri, at, append(opts, array.SchemaOnly())...)
	if err != nil {
		return nil, err
	}
	if op == "array_metadata" {
		entries, err := a.Metadata(ctx)
		return describeMetadata(entries), err
	}
	s, err := a.WithEnumerations(ctx, a.Schema)
	if err != nil {
		return nil, err
	}
	return describeSchema(s)
}

// describeFragments returns what fragment info says.
func describeFragments(ctx context.Context, a *array.Array) (any, error) {
	infos, err := a.FragmentInfos(ctx)
	if err != nil {
		return nil, err
	}
	fragments := []object{}
	for _, f := range infos {
		boxes := f.NumTiles
		if f.Dense {
			boxes = 0
		}
		fragments = append(fragments, object{"name": f.Name, "timestamps": []uint64{f.Start, f.End}, "dense": f.Dense, "cell_num": f.NumCells,
			"version": f.Version, "size": f.NBytes, "mbr_num": boxes, "schema_name": f.SchemaName, "consolidated_metadata": f.ConsolidatedMetadata})
	}
	return object{"fragments": fragments, "to_vacuum": len(a.Vacuumed())}, nil
}

// describeMembers returns the members with the case's own directories written as {data}.
func describeMembers(g *group.Group, roots ...string) any {
	types := map[format.ObjectType]string{format.ObjectGroup: "group", format.ObjectArray: "array"}
	list := []object{}
	for _, m := range g.Members() {
		uri := strings.TrimPrefix(g.Resolve(m), "file://")
		for _, root := range roots {
			uri = strings.ReplaceAll(uri, root, "{data}")
		}
		o := object{"uri": uri, "type": "invalid", "name": nil}
		if t, ok := types[m.Type]; ok {
			o["type"] = t
		}
		if m.Named {
			o["name"], o["relative"] = m.Name, m.Relative
		}
		list = append(list, o)
	}
	key := func(o object) string {
		name, _ := o["name"].(string)
		return name + "\x00" + o["uri"].(string)
	}
	slices.SortFunc(list, func(a, b object) int { return strings.Compare(key(a), key(b)) })
	return list
}

// subarray returns the ranges of a read: for dense arrays always explicit, as libtiledb wants them.
func subarray(s *schema.Array, ranges map[string][][2]any) ([][]schema.Range, error) {
	if len(ranges) == 0 {
		if s.Type == schema.Dense {
			return wholeDomain(s), nil
		}
		return nil, nil
	}
	return buildRanges(s, ranges)
}

func hexText(b []byte) string { return hex.EncodeToString(b) }

func writeJSON(path string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(raw, '\n'), 0o644)
}

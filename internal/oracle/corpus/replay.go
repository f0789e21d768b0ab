package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"azulejo/array"
	"azulejo/consolidate"
	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/format"
	"azulejo/group"
	"azulejo/internal/oracle/npz"
	"azulejo/label"
	"azulejo/query"
	"azulejo/schema"
)

// replayer performs the steps of one case.
type replayer struct {
	// source is the case's directory in the corpus, out where its data and states are made.
	source, out string
	settings    map[string]string
	key         *filter.Key
	group       bool
}

// replay performs every step of a case and makes the copies that its reads name. The steps before one that is not
// supported stay, with their states.
func replay(ctx context.Context, c *testCase, source, out string) []error {
	key, err := c.key()
	if err != nil {
		return []error{err}
	}
	out, err = filepath.Abs(out)
	if err == nil {
		err = os.RemoveAll(out)
	}
	if err == nil {
		err = os.MkdirAll(out, 0o755)
	}
	if err != nil {
		return []error{err}
	}
	r := &replayer{source: source, out: out, settings: map[string]string{}, key: key, group: c.Kind == "group"}
	for k := range c.Steps {
		if err := r.step(ctx, &c.Steps[k]); err != nil {
			return []error{fmt.Errorf("step %d (%s): %w", k, c.Steps[k].Op, err)}
		}
		if err := r.copies(c.Reads, k+1); err != nil {
			return []error{err}
		}
	}
	return nil
}

// copies makes the states that reads after step k name.
func (r *replayer) copies(reads []read, k int) error {
	for _, rd := range reads {
		state := filepath.Join(r.out, rd.Data)
		if rd.AfterStep != k || rd.Data == "data" {
			continue
		}
		if _, err := os.Stat(state); err == nil {
			continue
		}
		if err := os.CopyFS(state, os.DirFS(filepath.Join(r.out, "data"))); err != nil {
			return err
		}
	}
	return nil
}

func (r *replayer) step(ctx context.Context, s *step) error {
	uri := filepath.Join(r.out, "data", filepath.FromSlash(s.Sub))
	switch s.Op {
	case "note":
		return nil
	case "config":
		for k, v := range s.Settings {
			r.settings[k] = v
		}
		return nil
	case "create":
		sc, err := buildSchema(s.Schema)
		if err != nil {
			return err
		}
		sc.FillExtents() // the corpus sets the domain before the order, which does it for Hilbert arrays too
		return array.Create(ctx, fs, uri, sc, array.WithKey(r.key))
	case "write":
		return r.write(ctx, uri, s)
	case "metadata":
		return r.metadata(ctx, uri, s)
	case "evolve":
		return r.evolve(ctx, uri, s)
	case "group_create":
		return group.Create(ctx, fs, uri)
	case "group_edit":
		return r.groupEdit(ctx, uri, s)
	case "delete":
		return r.deleteCells(ctx, uri, s)
	case "delete_fragments":
		_, err := array.DeleteFragments(ctx, fs, uri, array.Interval{Start: s.Timestamps[0], End: s.Timestamps[1]})
		return err
	case "consolidate":
		return r.consolidate(ctx, uri, s)
	case "vacuum":
		return r.vacuum(ctx, uri, s.Mode)
	case "group_consolidate_metadata":
		return consolidate.GroupMeta(ctx, fs, uri, consolidate.Options{Key: r.key})
	case "group_vacuum_metadata":
		return consolidate.Vacuum(ctx, fs, uri, consolidate.ModeGroupMeta)
	}
	return fmt.Errorf("unknown step %q", s.Op)
}

func (r *replayer) write(ctx context.Context, uri string, s *step) error {
	a, err := array.Open(ctx, fs, uri, until(s.Timestamp), array.ForWriting(), array.WithKey(r.key))
	if err != nil {
		return err
	}
	w := &query.Write{Layout: layouts[s.Layout], Timestamp: s.Timestamp, CheckDups: true, CheckOutOfBounds: true,
		DedupCoords: r.settings["sm.dedup_coords"] == "true"}
	if len(s.Ranges) > 0 {
		if w.Subarray.Ranges, err = buildRanges(a.Schema, s.Ranges); err != nil {
			return err
		}
	}
	var batches [][]query.Column
	for _, name := range s.Columns {
		columns, err := loadColumns(filepath.Join(r.source, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		batches = append(batches, columns)
	}
	if len(batches) == 1 {
		w.Columns = batches[0]
		_, err := label.Submit(ctx, a, w)
		return err
	}
	g, err := query.NewGlobalWriter(ctx, a, w)
	if err != nil {
		return err
	}
	for _, b := range batches {
		if err := g.Submit(ctx, b); err != nil {
			return errors.Join(err, g.Abort(ctx))
		}
	}
	_, err = g.Finalize(ctx)
	return err
}

func (r *replayer) deleteCells(ctx context.Context, uri string, s *step) error {
	a, err := array.Open(ctx, fs, uri, until(s.Timestamp), array.ForWriting(), array.WithKey(r.key))
	if err != nil {
		return err
	}
	cond, err := buildCondition(a.Schema, s.Condition)
	if err != nil {
		return err
	}
	_, err = query.Delete(ctx, a, cond, s.Timestamp)
	return err
}

// until is everything up to a time in milliseconds, 0 for now.
func until(millis uint64) array.Interval {
	if millis == 0 {
		return array.Latest()
	}
	return array.Interval{End: millis}
}

// loadColumns reads the columns of a write; the extra last offset of the files is dropped.
func loadColumns(path string) ([]query.Column, error) {
	arrays, err := npz.Read(path)
	if err != nil {
		return nil, err
	}
	var out []query.Column
	for _, key := range sortedKeys(arrays) {
		name, ok := strings.CutPrefix(key, "data:")
		if !ok {
			continue
		}
		c := query.Column{Name: name, Data: arrays[key].Data}
		if o, ok := arrays["offsets:"+name]; ok {
			c.Offsets = o.Data[:max(len(o.Data)-8, 0)]
		}
		if v, ok := arrays["validity:"+name]; ok {
			c.Validity = v.Data
		}
		out = append(out, c)
	}
	return out, nil
}

func (r *replayer) metadata(ctx context.Context, uri string, s *step) error {
	var entries []format.MetadataEntry
	for _, key := range sortedKeys(s.Items) {
		item := s.Items[key]
		t, err := parseType(fmt.Sprint(item[0]))
		if err != nil {
			return err
		}
		value, err := pack(t, item[1])
		if err != nil {
			return err
		}
		num, _ := item[2].(json.Number)
		n, err := num.Int64()
		if err != nil {
			return err
		}
		entries = append(entries, format.MetadataEntry{Key: key, Type: t, Num: uint32(n), Value: value})
	}
	for _, key := range s.Delete {
		entries = append(entries, format.MetadataEntry{Key: key, Deleted: true})
	}
	if r.group {
		g, err := group.Open(ctx, fs, uri, group.Latest(), group.WithKey(r.key))
		if err != nil {
			return err
		}
		return g.PutMetadata(ctx, entries, s.Timestamp)
	}
	a, err := array.Open(ctx, fs, uri, until(s.Timestamp), array.ForWriting(), array.WithKey(r.key))
	if err != nil {
		return err
	}
	return a.PutMetadata(ctx, entries, s.Timestamp)
}

func (r *replayer) evolve(ctx context.Context, uri string, s *step) error {
	a, err := array.Open(ctx, fs, uri, array.Latest(), array.ForWriting(), array.WithKey(r.key))
	if err != nil {
		return err
	}
	e := schema.Evolution{DropAttributes: s.Drop, DropEnumerations: s.DropEnums, Timestamp: s.Timestamp}
	var add []attrSpec
	if len(s.Add) > 0 {
		if err := decode(s.Add, &add); err != nil {
			return err
		}
	}
	for _, spec := range add {
		attr, err := buildAttribute(spec)
		if err != nil {
			return err
		}
		e.AddAttributes = append(e.AddAttributes, attr)
	}
	for _, spec := range s.AddEnums {
		enum, err := buildEnumeration(spec)
		if err != nil {
			return err
		}
		e.AddEnumerations = append(e.AddEnumerations, enum)
	}
	for _, pair := range s.Extend {
		enum, err := extended(ctx, a, pair)
		if err != nil {
			return err
		}
		e.ExtendEnumerations = append(e.ExtendEnumerations, enum)
	}
	if s.CurrentDomain != nil {
		if e.ExpandCurrentDomain, err = buildCurrentDomain(s.CurrentDomain, a.Schema.Domain.Dimensions); err != nil {
			return err
		}
	}
	return array.Evolve(ctx, fs, uri, e, array.WithKey(r.key))
}

// extended returns an enumeration with further labels; pair is its name and an enumeration of the labels to add.
func extended(ctx context.Context, a *array.Array, pair [2]any) (*schema.Enumeration, error) {
	raw, err := json.Marshal(pair[1])
	if err != nil {
		return nil, err
	}
	var spec enumSpec
	if err := decode(raw, &spec); err != nil {
		return nil, err
	}
	more, err := buildEnumeration(spec)
	if err != nil {
		return nil, err
	}
	old, err := a.Enumeration(ctx, fmt.Sprint(pair[0]))
	if err != nil {
		return nil, err
	}
	out := &schema.Enumeration{Name: old.Name, Type: old.Type, CellValNum: old.CellValNum, Ordered: old.Ordered,
		Data: slices.Concat(old.Data, more.Data)}
	if old.CellValNum == datatype.VarNum {
		out.Offsets = slices.Clone(old.Offsets)
		for _, o := range more.Offsets {
			out.Offsets = append(out.Offsets, uint64(len(old.Data))+o)
		}
	}
	return out, nil
}

// decode is json.Unmarshal with numbers kept as texts.
func decode(raw []byte, to any) error {
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	return d.Decode(to)
}

// groupEdit adds members [uri, relative, name or null] and removes some by name or URI.
func (r *replayer) groupEdit(ctx context.Context, uri string, s *step) error {
	var specs [][3]any
	if err := decode(s.Add, &specs); err != nil {
		return err
	}
	var add []group.Member
	for _, spec := range specs {
		m := group.Member{URI: fmt.Sprint(spec[0]), Relative: fmt.Sprint(spec[1]) != "0"}
		m.Name, m.Named = spec[2].(string)
		at := filepath.Join(uri, filepath.FromSlash(m.URI))
		if !m.Relative {
			at = filepath.Join(r.out, "data", filepath.FromSlash(strings.TrimPrefix(m.URI, "{data}/")))
			m.URI = "file://" + at
		}
		isArray, err := array.Exists(ctx, fs, at)
		if err != nil {
			return err
		}
		m.Type = format.ObjectGroup
		if isArray {
			m.Type = format.ObjectArray
		}
		add = append(add, m)
	}
	g, err := group.Open(ctx, fs, uri, until(s.Timestamp), group.WithKey(r.key))
	if err != nil {
		return err
	}
	return g.Update(ctx, add, s.Remove, s.Timestamp)
}

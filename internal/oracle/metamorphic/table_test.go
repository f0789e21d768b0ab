package metamorphic

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"azulejo/array"
	"azulejo/arrowio"
	"azulejo/datatype"
	"azulejo/format"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs"
	"azulejo/vfs/mem"
)

// table writes the array as it is now into an Arrow or Parquet file and imports that as another array, which has the same
// cells.
func (p *player) table(rng *rand.Rand) error {
	parquet := rng.IntN(2) == 0 && !p.hasSeconds()
	p.note("export and import, as Parquet: %t", parquet)
	a, err := array.Open(p.ctx, p.fs, p.uri, array.Interval{End: epoch + 1000}, p.key())
	if err != nil {
		return err
	}
	q := p.whole(a.At)
	for _, d := range p.deletes {
		if !p.fits(d.cond, q.at.End) {
			return nil // a read is refused
		}
	}
	read := &query.Read{Layout: schema.Unordered, Threads: p.threads}
	if p.dense() {
		read.Layout = schema.RowMajor
	}
	for _, f := range q.fields {
		read.Fields = append(read.Fields, query.Want{Name: f, DataCap: -1, OffsetsCap: -1, ValidityCap: -1})
	}
	t, err := arrowio.NewTable(p.ctx, a, read, int64(500+rng.IntN(5000)))
	if err != nil {
		return err
	}
	var file bytes.Buffer
	open := arrowio.IPCSource
	if parquet {
		open = arrowio.ParquetSource
		_, err = arrowio.WriteParquet(p.ctx, t, &file, nil)
	} else {
		_, err = arrowio.WriteIPC(p.ctx, t, &file, rng.IntN(2) == 0, nil)
	}
	if err != nil {
		return err
	}
	src, err := open(p.ctx, arrowio.File{Name: "table", Data: bytes.NewReader(file.Bytes()), Size: int64(file.Len())})
	if err != nil {
		return err
	}
	o := arrowio.Options{Portion: int64(1000 + rng.IntN(100000)), NoDups: !p.schema.AllowsDups, Capacity: 20}
	for i := range p.dims {
		o.Index = append(o.Index, p.dims[i].Name)
	}
	want := p.answer(q)
	plan, err := arrowio.Infer(p.ctx, src, o)
	if err != nil {
		if len(want) == 0 && errors.Is(err, arrowio.ErrInvalid) {
			return nil // nothing that a domain could be made of
		}
		return err
	}
	other := *p
	other.fs, other.uri, other.cache = mem.New(), "mem://table", nil
	if _, err := arrowio.Import(p.ctx, other.fs, other.uri, src, plan, o, nil); err != nil {
		return err
	}
	if a, err = array.Open(p.ctx, other.fs, other.uri, array.Latest()); err != nil {
		return err
	}
	q.layout, q.ranges = schema.Unordered, [4][][2]int{}
	got, err := other.run(rng, a, q)
	if err != nil {
		return err
	}
	for i := range got {
		got[i] = noDates(got[i])
	}
	for i := range want {
		want[i] = noDates(want[i])
	}
	return p.judge(q, got, want)
}

// noDates makes nulls of dates that are none, as Arrow does.
func noDates(cell string) string {
	parts := strings.Split(cell, " ")
	for i := range parts {
		if parts[i] == "0000000000000080" {
			parts[i] = "null"
		}
	}
	return strings.Join(parts, " ")
}

// hasSeconds reports whether there are fields of seconds, which Parquet has as milliseconds.
func (p *player) hasSeconds() bool {
	inSeconds := func(t datatype.Type) bool { return t == datatype.TimeSec || t == datatype.DateTimeSec }
	return slices.ContainsFunc(p.dims, func(d dimension) bool { return inSeconds(d.Type) }) ||
		slices.ContainsFunc(p.now().attrs, func(a attribute) bool { return inSeconds(a.Type) })
}

// needsUpgrade tells the operations that older arrays refuse.
var needsUpgrade = [kinds]bool{opWrite: true, opDelete: true, opEvolve: true, opMerge: true, opMergeNamed: true, opLabel: true}

// oldVersion is the version that arrays are aged to, whose schema lacks only the current domain.
const oldVersion = 21

// age makes the array one of an older format version.
func (p *player) age() error {
	p.note("make it an array of version %d", oldVersion)
	dir := vfs.Join(p.uri, "__schema")
	entries, err := p.fs.List(p.ctx, dir)
	if err != nil {
		return err
	}
	uri := vfs.Join(dir, entries[slices.IndexFunc(entries, func(e vfs.Entry) bool { return !e.Dir })].Name)
	tile, err := vfs.ReadAll(p.ctx, p.fs, uri)
	if err != nil {
		return err
	}
	content, _, err := format.DecodeGenericTile(tile)
	if err != nil {
		return err
	}
	binary.LittleEndian.PutUint32(content, oldVersion)
	const noCurrentDomain = 5 // its version and that it is empty
	if tile, err = format.AppendGenericTile(nil, content[:len(content)-noCurrentDomain]); err != nil {
		return err
	}
	return errors.Join(p.fs.Remove(p.ctx, uri), vfs.WriteAll(p.ctx, p.fs, uri, tile))
}

// upgrade gives the array the current format version, before which it takes no cells.
func (p *player) upgrade() error {
	a, err := p.open()
	if err != nil {
		return err
	}
	refused := a.CheckWritable()
	if refused != nil && (!p.old || !errors.Is(refused, array.ErrUnsupported)) {
		return refused
	}
	from, err := array.Upgrade(p.ctx, p.fs, p.uri, p.key())
	if err != nil {
		return err
	}
	p.note("upgrade from %d", from)
	if want := map[bool]uint32{false: format.Version, true: oldVersion}[refused != nil]; from != want {
		return fmt.Errorf("upgraded from %d, want %d", from, want)
	}
	p.upgraded = p.upgraded || p.old
	p.old = false
	return nil
}

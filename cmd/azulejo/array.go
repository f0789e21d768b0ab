package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"azulejo/array"
	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs"
)

// arrayCommand works on arrays of this machine and of object stores without a server.
type arrayCommand struct {
	Info      arrayInfo      `cmd:"" help:"Print what an array or group holds and takes."`
	Ls        arrayList      `cmd:"" help:"List the arrays, groups and folders in a folder."`
	Tree      arrayTree      `cmd:"" help:"List all arrays and groups below a folder."`
	Cp        arrayCopy      `cmd:"" help:"Copy an array or group, within a store or to another."`
	Mv        arrayMove      `cmd:"" help:"Move an array or group, within a store or to another."`
	Rm        arrayRemove    `cmd:"" help:"Remove an array or group with everything in its folder."`
	Create    arrayCreate    `cmd:"" help:"Make an array from a schema document."`
	Import    arrayImport    `cmd:"" help:"Make an array of CSV, Parquet, Arrow or NumPy files, or append to one."`
	Export    arrayExport    `cmd:"" help:"Write cells to a CSV, Parquet, Arrow or NumPy file."`
	Schema    arraySchema    `cmd:"" help:"Print an array's schema."`
	Dump      arrayDump      `cmd:"" help:"Print cells as tab-separated text."`
	Check     arrayCheck     `cmd:"" help:"Verify every file of an array; name file and offset of damage."`
	Fragments arrayFragments `cmd:"" help:"List an array's fragments."`

	Consolidate arrayConsolidate `cmd:"" help:"Merge fragments, commits or metadata of an array or group; old files stay until vacuum."`
	Vacuum      arrayVacuum      `cmd:"" help:"Remove what consolidation replaced; whoever reads the old files meanwhile has to open again."`
	Release     arrayRelease     `cmd:"" help:"Give up consolidations that were begun and not ended, which others wait for; run it when their process is dead."`
	Compact     arrayCompact     `cmd:"" help:"Merge in an array or group what is worth it, and remove what was replaced longer ago than the grace time; to be run now and then."`
	Plan        arrayPlan        `cmd:"" help:"Print groups of fragments that are worth merging, one a line, as consolidate --fragments takes them."`
	Upgrade     arrayUpgrade     `cmd:"" help:"Give an array of an older format version a schema of the current one, so that it can be written to."`
}

// uriArg is the array that a command is about, and the time it is looked at.
type uriArg struct {
	keyedStore
	URI string `arg:"" name:"uri" help:"A directory or a URI of any store."`
	At  uint64 `help:"Open as of this time in milliseconds since 1970; now when absent."`
}

// local returns a path or file URI as the storage backend takes it, with paths below the working directory made absolute.
func local(uri string) (string, error) {
	if strings.Contains(uri, "://") {
		return uri, nil
	}
	return filepath.Abs(uri)
}

func (a uriArg) open(ctx context.Context, opts ...array.Option) (*array.Array, error) {
	fs, uri, key, err := a.keyed(a.URI)
	if err != nil {
		return nil, err
	}
	return array.Open(ctx, fs, uri, a.at(), append(opts, key)...)
}

type arraySchema struct {
	uriArg
	JSON bool `name:"json" help:"Print the document that 'array create' reads."`
}

// Run is called by the command line parser.
func (c *arraySchema) Run(ctx context.Context) error {
	arr, err := c.open(ctx, array.SchemaOnly())
	if err != nil {
		return err
	}
	if !c.JSON {
		return printSchema(os.Stdout, arr.Schema)
	}
	s, err := arr.WithEnumerations(ctx, arr.Schema)
	if err != nil {
		return err
	}
	return writeSchemaJSON(os.Stdout, s)
}

var layoutNames = map[schema.Layout]string{schema.RowMajor: "row-major", schema.ColMajor: "col-major", schema.Hilbert: "hilbert"}

// printSchema writes a schema as text, one dimension or attribute a line.
func printSchema(out io.Writer, s *schema.Array) error {
	kind := "dense"
	if s.Type == schema.Sparse {
		kind = "sparse"
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "type\t%s\nformat version\t%d\ntile order\t%s\ncell order\t%s\ncapacity\t%d\nallows duplicates\t%v\n",
		kind, s.Version, layoutNames[s.TileOrder], layoutNames[s.CellOrder], s.Capacity, s.AllowsDups)
	for _, d := range s.Domain.Dimensions {
		fmt.Fprintf(w, "dimension %q\t%v\t%s\ttile %s\tfilters %s\n", d.Name, d.Type, domainText(&d), extentText(&d), pipelineText(d.Filters))
	}
	for _, a := range s.Attributes {
		fmt.Fprintf(w, "attribute %q\t%v%s\tfill %s\tfilters %s\n", a.Name, a.Type, attributeText(&a), formatValue(a.Fill, a.Type), pipelineText(a.Filters))
	}
	for _, name := range s.EnumerationNames {
		fmt.Fprintf(w, "enumeration %q\t%s\n", name, s.EnumerationFiles[name])
	}
	if s.CurrentDomain != nil && !s.CurrentDomain.Empty {
		for i, r := range s.CurrentDomain.Ranges {
			d := s.Domain.Dimensions[i]
			fmt.Fprintf(w, "current domain %q\t%s\n", d.Name, rangeText(r, d.Type))
		}
	}
	return w.Flush()
}

func domainText(d *schema.Dimension) string {
	if d.CellValNum == datatype.VarNum {
		return "any text"
	}
	n := len(d.Domain) / 2
	return rangeText(schema.Range{Lo: d.Domain[:n], Hi: d.Domain[n:]}, d.Type)
}

func rangeText(r schema.Range, t datatype.Type) string {
	return "[" + formatValue(r.Lo, t) + ", " + formatValue(r.Hi, t) + "]"
}

func extentText(d *schema.Dimension) string {
	if d.Extent == nil {
		return "none"
	}
	return formatValue(d.Extent, d.Type)
}

// attributeText says what makes an attribute more than one plain value a cell.
func attributeText(a *schema.Attribute) string {
	text := ""
	switch {
	case a.CellValNum == datatype.VarNum:
		text = " var"
	case a.CellValNum > 1:
		text = fmt.Sprintf(" x%d", a.CellValNum)
	}
	if a.Nullable {
		text += " nullable"
	}
	if a.Enumeration != "" {
		text += fmt.Sprintf(" of enumeration %q", a.Enumeration)
	}
	return text
}

func pipelineText(p filter.Pipeline) string {
	if len(p.Filters) == 0 {
		return "none"
	}
	var names []string
	for _, f := range p.Filters {
		name := f.Name()
		if level, ok := f.Level(); ok {
			name += fmt.Sprintf("(%d)", level)
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

type arrayFragments struct{ uriArg }

// Run is called by the command line parser.
func (c *arrayFragments) Run(ctx context.Context) error {
	arr, err := c.open(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tFROM\tTO\tCELLS\tTILES\tNON-EMPTY DOMAIN")
	for _, f := range arr.Fragments() {
		var box []string
		for i, r := range f.NonEmptyDomain() {
			box = append(box, rangeText(r, f.Schema().Domain.Dimensions[i].Type))
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%s\n", vfs.Base(f.URI()), f.Name().Start, f.Name().End, f.Footer().NumCells(), f.NumTiles(), strings.Join(box, " "))
	}
	return w.Flush()
}

type arrayCheck struct{ uriArg }

// Run is called by the command line parser.
func (c *arrayCheck) Run(ctx context.Context) error {
	fs, uri, key, err := c.keyed(c.URI)
	if err != nil {
		return err
	}
	checked, err := array.Check(ctx, fs, uri, func(d array.Damage) { fmt.Println(d) }, key)
	if err != nil {
		return err
	}
	if checked.Damaged > 0 {
		fmt.Fprintf(os.Stderr, "azulejo: %d faults in %s; restore the files named from a copy\n", checked.Damaged, c.URI)
		return errReported
	}
	fmt.Printf("no faults in %d fragments, %d tiles, %d bytes\n", checked.Fragments, checked.Tiles, checked.NBytes)
	return nil
}

type arrayDump struct {
	uriArg
	Subarray string `help:"Inclusive ranges lo:hi, one per dimension, separated by commas."`
	Attrs    string `help:"Attributes to print, separated by commas; all when absent."`
	Cond     string `help:"A condition such as 'a < 100'."`
	Limit    uint64 `default:"1000" help:"Print at most this many cells; 0 means all."`
}

// dumpBytes bounds the cells of one field that dump holds at a time.
const dumpBytes = 8 << 20

// Run is called by the command line parser.
func (c *arrayDump) Run(ctx context.Context) error {
	arr, err := c.open(ctx)
	if err != nil {
		return err
	}
	read := &query.Read{Layout: schema.RowMajor}
	if read.Subarray, err = parseSubarray(c.Subarray, arr.Schema); err != nil {
		return err
	}
	if c.Cond != "" {
		if read.Condition, err = parseCondition(c.Cond, arr.Schema); err != nil {
			return err
		}
	}
	names := dumpFields(arr.Schema, c.Attrs)
	for _, name := range names {
		read.Fields = append(read.Fields, query.Want{Name: name, DataCap: dumpBytes, OffsetsCap: dumpBytes, ValidityCap: dumpBytes})
	}
	fmt.Println(strings.Join(names, "\t"))
	for printed := uint64(0); ; {
		result, err := query.Run(ctx, arr, read)
		if err != nil {
			return err
		}
		for cell := range result.Cells {
			if c.Limit > 0 && printed == c.Limit {
				fmt.Fprintf(os.Stderr, "azulejo: stopped after %d cells; --limit 0 prints all\n", c.Limit)
				return nil
			}
			printed++
			fmt.Println(rowText(arr.Schema, result.Columns, int(cell)))
		}
		if result.Next == nil {
			return nil
		}
		if result.Cells == 0 {
			return fmt.Errorf("a cell of %s is larger than %d bytes", c.URI, dumpBytes)
		}
		read.Resume = result.Next
	}
}

// dumpFields lists all dimensions and the attributes asked for.
func dumpFields(s *schema.Array, attrs string) []string {
	names := fieldNames(s, attrs)
	if s.Type == schema.Sparse {
		return names
	}
	var dims []string
	for _, d := range s.Domain.Dimensions {
		dims = append(dims, d.Name)
	}
	return append(dims, names...)
}

// rowText prints one cell of all columns.
func rowText(s *schema.Array, columns []query.Column, cell int) string {
	var parts []string
	for _, c := range columns {
		f, _ := s.Field(c.Name)
		var v []byte
		if f.Var() {
			offsets := datatype.View[uint64](c.Offsets)
			end := uint64(len(c.Data))
			if cell+1 < len(offsets) {
				end = offsets[cell+1]
			}
			v = c.Data[offsets[cell]:end]
		} else {
			v = c.Data[cell*f.CellSize() : (cell+1)*f.CellSize()]
		}
		if c.Validity != nil && c.Validity[cell] == 0 {
			parts = append(parts, "null")
			continue
		}
		parts = append(parts, formatValue(v, f.Type))
	}
	return strings.Join(parts, "\t")
}

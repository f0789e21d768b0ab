package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"azulejo/array"
	"azulejo/condition"
	"azulejo/consolidate"
	"azulejo/datatype"
	"azulejo/internal/pool"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs"
	"azulejo/vfs/file"
)

// benchCommand runs one operation on a local array many times in one process and prints the seconds of each as JSON:
// the contract by which benchmarks put engines side by side. Every timed repeat opens the array anew and keeps nothing.
type benchCommand struct {
	Op       string `arg:"" enum:"open,domain,fragments,read,windows,sparse,aggregate,write,consolidate" help:"What to time: ${enum}."`
	URI      string `name:"uri" required:"" help:"The local array."`
	Subarray string `help:"Inclusive ranges lo:hi, one per dimension, separated by commas."`
	Windows  string `help:"JSON file with a list of subarrays [[lo,hi],...]." type:"existingfile"`
	Points   string `help:"JSON file with coordinates of the first dimension." type:"existingfile"`
	Attrs    string `help:"Attributes to return, separated by commas; all when absent."`
	Cond     string `help:"A condition such as 'a < 100'."`
	Layout   string `default:"row-major" enum:"row-major,unordered" help:"Order of the result: ${enum}."`
	Input    string `help:"Raw cells to write, in C order; for sparse arrays a directory with a file of cells for every field. The array to consolidate copies of, each of which takes the place of the array at the URI." type:"path"`
	Budget   int64  `help:"Bytes that a read may hold; it is then done in parts, none of which is kept."`
	Repeat   int    `default:"5" help:"Timed repeats."`
	Warmup   int    `default:"1" help:"Repeats before them that are not timed."`
	Threads  int    `help:"Parallel workers; 0 means the number of cores."`
}

// benchAnswer is the last line of the command's output.
type benchAnswer struct {
	Seconds []float64         `json:"seconds"`
	Cells   uint64            `json:"cells"`
	Checks  map[string]string `json:"checks"`
}

// benchOutcome is what one repeat produced.
type benchOutcome struct {
	cells   uint64
	results []*query.Result
}

// Run is called by the command line parser.
func (c *benchCommand) Run(ctx context.Context) error {
	job, err := c.prepare(ctx)
	if err != nil {
		return err
	}
	answer := benchAnswer{Seconds: []float64{}, Checks: map[string]string{}}
	var last benchOutcome
	for turn := range c.Warmup + c.Repeat {
		last = benchOutcome{}
		if err := job.renew(); err != nil {
			return err
		}
		start := time.Now()
		if last, err = job.once(ctx); err != nil {
			return err
		}
		if took := time.Since(start).Seconds(); turn >= c.Warmup {
			answer.Seconds = append(answer.Seconds, took)
		}
	}
	answer.Cells = last.cells
	if err := job.check(last, answer.Checks); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(answer)
}

// benchJob is a command whose inputs were read and checked, outside the timed region.
type benchJob struct {
	*benchCommand
	fs     vfs.FS
	schema *schema.Array
	boxes  []query.Subarray
	cond   *condition.Node
	fields []string
	input  []query.Column
	// spare is memory of columns, which serves all reads in parts as a client's buffers do.
	spare [][]byte
}

func (c *benchCommand) prepare(ctx context.Context) (*benchJob, error) {
	job := &benchJob{benchCommand: c, fs: file.New()}
	var err error
	if c.URI, err = local(c.URI); err != nil {
		return nil, err
	}
	if err = job.renew(); err != nil {
		return nil, err
	}
	arr, err := array.Open(ctx, job.fs, c.URI, array.Latest(), array.SchemaOnly())
	if err != nil {
		return nil, err
	}
	job.schema = arr.Schema
	if job.boxes, err = c.subarrays(arr.Schema); err != nil {
		return nil, err
	}
	if c.Cond != "" {
		if job.cond, err = parseCondition(c.Cond, arr.Schema); err != nil {
			return nil, err
		}
	}
	job.fields = fieldNames(arr.Schema, c.Attrs)
	if c.Op == "write" {
		err = job.readInput()
	}
	return job, err
}

// renew replaces an array that is to be consolidated by a copy of the one that was not yet.
func (j *benchJob) renew() error {
	if j.Op != "consolidate" {
		return nil
	}
	place := strings.TrimPrefix(j.URI, "file://")
	if err := os.RemoveAll(place); err != nil {
		return err
	}
	return os.CopyFS(place, os.DirFS(j.Input))
}

// readInput reads the cells to write: of the one attribute of a dense array, of every field of a sparse one.
func (j *benchJob) readInput() error {
	if j.schema.Type == schema.Dense {
		data, err := os.ReadFile(j.Input)
		j.input = []query.Column{{Name: j.schema.Attributes[0].Name, Data: data}}
		return err
	}
	for _, name := range fieldNames(j.schema, "") {
		data, err := os.ReadFile(filepath.Join(j.Input, name))
		if err != nil {
			return err
		}
		j.input = append(j.input, query.Column{Name: name, Data: data})
	}
	return nil
}

// once is one timed repeat: open, do, close.
func (j *benchJob) once(ctx context.Context) (benchOutcome, error) {
	if j.Op == "consolidate" {
		// All fragments become one, however many cells that adds.
		_, err := consolidate.Fragments(ctx, j.fs, j.URI, consolidate.Options{Threads: j.Threads, Amplification: 1000})
		return benchOutcome{}, err
	}
	arr, err := array.Open(ctx, j.fs, j.URI, array.Latest())
	if err != nil {
		return benchOutcome{}, err
	}
	switch j.Op {
	case "open":
		return benchOutcome{cells: uint64(len(arr.Schema.Attributes))}, nil
	case "domain":
		return benchOutcome{cells: uint64(len(arr.NonEmptyDomain()))}, nil
	case "fragments":
		infos, err := arr.FragmentInfos(ctx)
		return benchOutcome{cells: uint64(len(infos))}, err
	case "write":
		write := &query.Write{Layout: schema.RowMajor, Subarray: j.boxes[0], Threads: j.Threads, Columns: j.input}
		if arr.Schema.Type == schema.Sparse {
			write.Layout, write.Subarray = schema.Unordered, query.Subarray{}
		}
		_, err := query.Submit(ctx, arr, write)
		return benchOutcome{}, err
	case "aggregate":
		return j.aggregate(ctx, arr)
	}
	var out benchOutcome
	for _, box := range j.boxes {
		read := &query.Read{Layout: j.layout(), Subarray: box, Condition: j.cond, Threads: j.Threads}
		for _, name := range j.fields {
			read.Fields = append(read.Fields, query.Want{Name: name, DataCap: -1, OffsetsCap: -1, ValidityCap: -1})
		}
		if j.Budget > 0 {
			n, err := j.inParts(ctx, arr, read)
			out.cells += n
			if err != nil {
				return out, err
			}
			continue
		}
		result, err := query.Run(ctx, arr, read)
		if err != nil {
			return out, err
		}
		if result.Next != nil {
			return out, errors.New("an unlimited read was incomplete")
		}
		out.cells += result.Cells
		out.results = append(out.results, result)
	}
	if arr.Schema.Type == schema.Dense && j.Op == "sparse" {
		return out, errors.New("sparse asks for a sparse array")
	}
	return out, nil
}

// inParts reads with a budget until the read is complete, and returns the number of cells.
func (j *benchJob) inParts(ctx context.Context, arr *array.Array, read *query.Read) (cells uint64, err error) {
	var lent [][]byte
	defer func() { j.spare = append(j.spare, lent...) }()
	read.Alloc = func(n int) []byte {
		b := j.room(n)
		lent = append(lent, b)
		return b
	}
	for {
		read.Budget = pool.NewBudget(j.Budget)
		result, err := query.Run(ctx, arr, read)
		if err != nil {
			return cells, err
		}
		cells += result.Cells
		if result.Next == nil {
			return cells, nil
		}
		if result.Cells == 0 {
			return cells, errors.New("not one cell fits the budget")
		}
		read.Resume = result.Next
		j.spare, lent = append(j.spare, lent...), nil
	}
}

// room returns memory for a column: the smallest that is left from an earlier part and suffices, or new memory in the place
// of one that does not.
func (j *benchJob) room(n int) []byte {
	slices.SortFunc(j.spare, func(x, y []byte) int { return cap(x) - cap(y) })
	i := slices.IndexFunc(j.spare, func(b []byte) bool { return cap(b) >= n })
	if i < 0 {
		if len(j.spare) > 0 {
			j.spare = j.spare[1:]
		}
		return datatype.AlignedBytes(n)
	}
	b := j.spare[i]
	j.spare = slices.Delete(j.spare, i, i+1)
	return b[:n]
}

func (j *benchJob) aggregate(ctx context.Context, arr *array.Array) (benchOutcome, error) {
	read := &query.Read{Layout: schema.Unordered, Subarray: j.boxes[0], Condition: j.cond, Threads: j.Threads}
	if arr.Schema.Type == schema.Dense {
		read.Layout = schema.RowMajor
	}
	for _, name := range strings.Split(j.Attrs, ",") {
		read.Aggregates = append(read.Aggregates,
			query.Aggregate{Output: name + ".count", Op: query.Count},
			query.Aggregate{Output: name + ".sum", Op: query.Sum, Field: name},
			query.Aggregate{Output: name + ".min", Op: query.Min, Field: name},
			query.Aggregate{Output: name + ".max", Op: query.Max, Field: name})
	}
	result, err := query.Run(ctx, arr, read)
	return benchOutcome{results: []*query.Result{result}}, err
}

func (j *benchJob) layout() schema.Layout {
	if j.Op == "sparse" && j.Layout == "unordered" {
		return schema.Unordered
	}
	return schema.RowMajor
}

// check fills in the checksums of the last repeat.
func (j *benchJob) check(out benchOutcome, checks map[string]string) error {
	for _, result := range out.results {
		for _, column := range result.Columns {
			if column.Offsets != nil {
				continue
			}
			if j.Op == "aggregate" {
				text, err := decimal(column, j.aggregateType(column.Name))
				if err != nil {
					return err
				}
				checks[column.Name] = text
				continue
			}
			if f, _ := j.schema.Field(column.Name); j.layout() == schema.Unordered {
				checks[column.Name] = fmt.Sprintf("%016x", bitSum(column.Data, f.Type.Size()))
				continue
			}
			sum := uint32(0)
			if text, ok := checks[column.Name]; ok {
				before, _ := strconv.ParseUint(text, 16, 32)
				sum = uint32(before)
			}
			checks[column.Name] = fmt.Sprintf("%08x", crc32.Update(sum, crc32.IEEETable, column.Data))
		}
	}
	return nil
}

// aggregateType returns the datatype of the aggregate column "field.op".
func (j *benchJob) aggregateType(output string) datatype.Type {
	name, op, _ := strings.Cut(output, ".")
	f, _ := j.schema.Field(name)
	switch {
	case op == "count":
		return datatype.Uint64
	case op != "sum":
		return f.Type
	case f.Type.Kind().Float():
		return datatype.Float64
	case f.Type.Kind().Signed():
		return datatype.Int64
	}
	return datatype.Uint64
}

// subarrays reads the ranges of the command: one subarray, or one per window.
func (c *benchCommand) subarrays(s *schema.Array) ([]query.Subarray, error) {
	if c.Windows == "" && c.Points == "" {
		box, err := parseSubarray(c.Subarray, s)
		return []query.Subarray{box}, err
	}
	name := c.Windows + c.Points
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if c.Points != "" {
		var points []json.Number
		if err := json.Unmarshal(text, &points); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		sub := query.Subarray{Ranges: make([][]schema.Range, len(s.Domain.Dimensions))}
		for _, p := range points {
			v, err := parseValue(p.String(), s.Domain.Dimensions[0].Type)
			if err != nil {
				return nil, err
			}
			sub.Ranges[0] = append(sub.Ranges[0], schema.Range{Lo: v, Hi: v})
		}
		return []query.Subarray{sub}, nil
	}
	var windows [][][2]json.Number
	if err := json.Unmarshal(text, &windows); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var boxes []query.Subarray
	for _, w := range windows {
		var parts []string
		for _, r := range w {
			parts = append(parts, r[0].String()+":"+r[1].String())
		}
		box, err := parseSubarray(strings.Join(parts, ","), s)
		if err != nil {
			return nil, err
		}
		boxes = append(boxes, box)
	}
	return boxes, nil
}

// parseSubarray reads "lo:hi,lo:hi"; an empty text is the whole domain.
func parseSubarray(text string, s *schema.Array) (query.Subarray, error) {
	var sub query.Subarray
	if text == "" {
		return sub, nil
	}
	parts := strings.Split(text, ",")
	if len(parts) != len(s.Domain.Dimensions) {
		return sub, fmt.Errorf("subarray %q has %d ranges, the array %d dimensions", text, len(parts), len(s.Domain.Dimensions))
	}
	for d, part := range parts {
		if part == "" || part == ":" {
			sub.Ranges = append(sub.Ranges, nil)
			continue
		}
		lo, hi, ok := strings.Cut(part, "..") // for values that have colons
		if !ok {
			lo, hi, ok = strings.Cut(part, ":")
		}
		if !ok {
			return sub, fmt.Errorf("range %q is not lo:hi", part)
		}
		t := s.Domain.Dimensions[d].Type
		l, err := parseValue(lo, t)
		if err != nil {
			return sub, err
		}
		h, err := parseValue(hi, t)
		if err != nil {
			return sub, err
		}
		sub.Ranges = append(sub.Ranges, []schema.Range{{Lo: l, Hi: h}})
	}
	return sub, nil
}

var conditionOps = []struct {
	text string
	op   condition.Op
}{{"<=", condition.LE}, {">=", condition.GE}, {"==", condition.EQ}, {"!=", condition.NE}, {"<", condition.LT}, {">", condition.GT}}

// parseCondition reads one comparison "field op value".
func parseCondition(text string, s *schema.Array) (*condition.Node, error) {
	for _, o := range conditionOps {
		name, value, ok := strings.Cut(text, o.text)
		if !ok {
			continue
		}
		name, value = strings.TrimSpace(name), strings.Trim(strings.TrimSpace(value), `"'`)
		f, ok := s.Field(name)
		if !ok {
			return nil, fmt.Errorf("condition %q: no field %q in the array", text, name)
		}
		v, err := parseValue(value, f.Type)
		return &condition.Node{Op: o.op, Field: name, Value: v}, err
	}
	return nil, fmt.Errorf("condition %q is not FIELD OP VALUE", text)
}

// parseValue reads one value of type t, little-endian.
func parseValue(text string, t datatype.Type) ([]byte, error) {
	size := t.Size()
	var bits uint64
	var err error
	switch kind := t.Kind(); {
	case isText(t):
		return []byte(text), nil
	case kind == datatype.KindFloat32:
		var f float64
		f, err = strconv.ParseFloat(text, 32)
		bits = uint64(math.Float32bits(float32(f)))
	case kind == datatype.KindFloat64:
		var f float64
		f, err = strconv.ParseFloat(text, 64)
		bits = math.Float64bits(f)
	case kind.Signed():
		var i int64
		moment, ok := parseMoment(text, t)
		if i = moment; !ok {
			i, err = strconv.ParseInt(text, 10, size*8)
		}
		bits = uint64(i)
	default:
		bits, err = strconv.ParseUint(text, 10, size*8)
	}
	if err != nil {
		return nil, fmt.Errorf("%q is not a value of %v", text, t)
	}
	v := make([]byte, 8)
	for i := range v {
		v[i] = byte(bits >> (8 * i))
	}
	return v[:size], nil
}

// decimal prints the single value of a column as Python's repr does.
func decimal(column query.Column, t datatype.Type) (string, error) {
	if len(column.Data) != t.Size() {
		return "", fmt.Errorf("aggregate %s has %d bytes, want %d", column.Name, len(column.Data), t.Size())
	}
	return formatValue(column.Data, t), nil
}

// bitSum adds the values' bit patterns as unsigned integers of size bytes, modulo 2^64.
func bitSum(data []byte, size int) uint64 {
	var sum uint64
	switch size {
	case 1:
		for _, v := range data {
			sum += uint64(v)
		}
	case 2:
		for _, v := range datatype.View[uint16](data) {
			sum += uint64(v)
		}
	case 4:
		for _, v := range datatype.View[uint32](data) {
			sum += uint64(v)
		}
	case 8:
		for _, v := range datatype.View[uint64](data) {
			sum += v
		}
	}
	return sum
}

// fieldNames lists what a read returns: the attributes asked for, and in sparse arrays all dimensions too.
func fieldNames(s *schema.Array, attrs string) []string {
	var names []string
	if s.Type == schema.Sparse {
		for _, d := range s.Domain.Dimensions {
			names = append(names, d.Name)
		}
	}
	if attrs != "" {
		return append(names, strings.Split(attrs, ",")...)
	}
	for _, a := range s.Attributes {
		names = append(names, a.Name)
	}
	return names
}

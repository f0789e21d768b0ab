package arrowio

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	arrowarray "github.com/apache/arrow-go/v18/arrow/array"
)

// WriteCSV writes the table as CSV text with the columns' names in the first line. Null is a field with nothing in it, the
// empty text is "". Dates and times are written as the import reads them, lists as [1, 2]. It returns the number of
// rows; the error wraps ErrInvalid for bytes that are no text.
func WriteCSV(ctx context.Context, t *Table, w io.Writer, comma byte, progress func(rows int64)) (int64, error) {
	if comma == 0 {
		comma = ','
	}
	out := bufio.NewWriterSize(w, 1<<16)
	var line []byte
	for i, f := range t.Schema.Fields() {
		if i > 0 {
			line = append(line, comma)
		}
		line = quote(line, []byte(f.Name), comma)
	}
	out.Write(append(line, '\n'))
	rows, err := each(ctx, t, progress, func(batch arrow.RecordBatch) error {
		for row := range int(batch.NumRows()) {
			line = line[:0]
			for i, col := range batch.Columns() {
				if i > 0 {
					line = append(line, comma)
				}
				var err error
				if line, err = appendCell(line, col, row, comma); err != nil {
					return fmt.Errorf("column %q: %w", batch.ColumnName(i), err)
				}
			}
			if _, err := out.Write(append(line, '\n')); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return rows, err
	}
	return rows, out.Flush()
}

// quote adds a text, in quotes where it needs them.
func quote(line, text []byte, comma byte) []byte {
	if len(text) > 0 && bytes.IndexByte(text, comma) < 0 && !bytes.ContainsAny(text, "\"\r\n") && text[0] != 0xef {
		return append(line, text...)
	}
	line = append(line, '"')
	line = append(line, bytes.ReplaceAll(text, []byte(`"`), []byte(`""`))...)
	return append(line, '"')
}

func appendCell(line []byte, col arrow.Array, row int, comma byte) ([]byte, error) {
	if col.IsNull(row) {
		return line, nil
	}
	switch a := col.(type) {
	case *arrowarray.Dictionary:
		return appendCell(line, a.Dictionary(), a.GetValueIndex(row), comma)
	case *arrowarray.Boolean:
		return strconv.AppendBool(line, a.Value(row)), nil
	case *arrowarray.Date32:
		return time.Unix(int64(a.Value(row))*86400, 0).UTC().AppendFormat(line, time.DateOnly), nil
	case *arrowarray.Timestamp:
		return appendMoment(line, int64(a.Value(row)), a.DataType().(*arrow.TimestampType).Unit), nil
	case *arrowarray.Time32:
		return appendTimeOfDay(line, int64(a.Value(row)), a.DataType().(arrow.TemporalWithUnit).TimeUnit()), nil
	case *arrowarray.Time64:
		return appendTimeOfDay(line, int64(a.Value(row)), a.DataType().(arrow.TemporalWithUnit).TimeUnit()), nil
	case arrowarray.ListLike:
		start, end := a.ValueOffsets(row)
		text := []byte{'['}
		for i := start; i < end; i++ {
			if i > start {
				text = append(text, ", "...)
			}
			text = appendNumber(text, a.ListValues(), int(i))
		}
		return quote(line, append(text, ']'), comma), nil
	}
	if get := texts(col); get != nil {
		text := get(row)
		if col.DataType().ID() == arrow.FIXED_SIZE_BINARY {
			text = bytes.TrimRight(text, "\x00")
		}
		if !utf8.Valid(text) {
			return line, fmt.Errorf("%w: row %d holds bytes that are no text, which CSV cannot carry; export Parquet or Arrow", ErrInvalid, row+1)
		}
		return quote(line, text, comma), nil
	}
	return appendNumber(line, col, row), nil
}

// ticks is the number of units in a second.
func ticks(u arrow.TimeUnit) int64 {
	return [...]int64{arrow.Second: 1, arrow.Millisecond: 1e3, arrow.Microsecond: 1e6, arrow.Nanosecond: 1e9}[u]
}

func appendMoment(line []byte, v int64, unit arrow.TimeUnit) []byte {
	n := ticks(unit)
	seconds, part := v/n, v%n
	if part < 0 {
		seconds, part = seconds-1, part+n
	}
	line = time.Unix(seconds, 0).UTC().AppendFormat(line, time.DateTime)
	return appendFraction(line, part, n)
}

// appendFraction adds part/n of a second with all the unit's digits.
func appendFraction(line []byte, part, n int64) []byte {
	if n == 1 {
		return line
	}
	digits := strconv.FormatInt(n+part, 10)[1:]
	return append(append(line, '.'), digits...)
}

func appendTimeOfDay(line []byte, v int64, unit arrow.TimeUnit) []byte {
	n := ticks(unit)
	if v < 0 {
		line, v = append(line, '-'), -v
	}
	seconds := v / n
	line = fmt.Appendf(line, "%02d:%02d:%02d", seconds/3600, seconds/60%60, seconds%60)
	return appendFraction(line, v%n, n)
}

// appendNumber adds a number so that it reads back equal and keeps its kind: floats have a point or an exponent.
func appendNumber(line []byte, col arrow.Array, row int) []byte {
	switch a := col.(type) {
	case *arrowarray.Float32:
		return appendFloat(line, float64(a.Value(row)), 32)
	case *arrowarray.Float64:
		return appendFloat(line, a.Value(row), 64)
	case *arrowarray.Int64:
		return strconv.AppendInt(line, a.Value(row), 10)
	case *arrowarray.Int32:
		return strconv.AppendInt(line, int64(a.Value(row)), 10)
	case *arrowarray.Uint64:
		return strconv.AppendUint(line, a.Value(row), 10)
	}
	return append(line, col.ValueStr(row)...)
}

func appendFloat(line []byte, v float64, bits int) []byte {
	switch {
	case math.IsNaN(v):
		return append(line, "nan"...)
	case math.IsInf(v, 0):
		return append(line, strings.TrimPrefix(strings.ToLower(strconv.FormatFloat(v, 'g', -1, 64)), "+")...)
	}
	at := len(line)
	line = strconv.AppendFloat(line, v, 'g', -1, bits)
	if !bytes.ContainsAny(line[at:], ".e") {
		line = append(line, ".0"...)
	}
	return line
}

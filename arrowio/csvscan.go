package arrowio

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// maxField bounds the bytes of one field of a CSV file, and maxColumns the fields of a line, so that a file that is no CSV
// cannot take all memory.
const (
	maxField   = 16 << 20
	maxColumns = 1 << 16
)

// csvScanner cuts CSV text into fields (RFC 4180): fields may be quoted, quotes in quoted fields are doubled, quoted
// fields may hold separators and line ends. Lines end with LF or CR LF. A byte order mark at the start is passed over.
type csvScanner struct {
	r     *bufio.Reader
	comma byte
	// line is the number of the line that the last record began at, next that of the next byte; both from 1.
	line, next int
	// data has the fields of the record back to back, ends where each ends; quoted tells which were in quotes.
	data   []byte
	ends   []int
	quoted []bool
	began  bool
}

func newCSVScanner(r io.Reader, comma byte) *csvScanner {
	return &csvScanner{r: bufio.NewReaderSize(r, 1<<16), comma: comma, next: 1}
}

// place is an error with the line and the field, counted from 1.
func (s *csvScanner) fault(format string, args ...any) error {
	return fmt.Errorf("%w: line %d, field %d: "+format, append([]any{ErrInvalid, s.next, len(s.ends) + 1}, args...)...)
}

// field returns field i of the record; it is valid until the next record.
func (s *csvScanner) field(i int) []byte {
	start := 0
	if i > 0 {
		start = s.ends[i-1]
	}
	return s.data[start:s.ends[i]]
}

// record reads the next record and reports whether there is one; a line without anything is a record of one empty field.
func (s *csvScanner) record() (bool, error) {
	if !s.began {
		s.began = true
		if bom, err := s.r.Peek(3); err == nil && bytes.Equal(bom, []byte("\xef\xbb\xbf")) {
			s.r.Discard(3)
		}
	}
	s.data, s.ends, s.quoted, s.line = s.data[:0], s.ends[:0], s.quoted[:0], s.next
	if _, err := s.r.Peek(1); err != nil {
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		return false, err
	}
	for {
		more, err := s.one()
		if err != nil {
			return false, err
		}
		if len(s.ends) > maxColumns {
			return false, s.fault("more than %d fields in a line", maxColumns)
		}
		if !more {
			return true, nil
		}
	}
}

// one reads a field and what ends it; more tells that it was a separator.
func (s *csvScanner) one() (more bool, err error) {
	start := len(s.data)
	c, err := s.r.ReadByte()
	quoted := err == nil && c == '"'
	if quoted {
		if err := s.inQuotes(start); err != nil {
			return false, err
		}
		c, err = s.r.ReadByte()
	}
	for ; err == nil; c, err = s.r.ReadByte() {
		if c == s.comma || c == '\n' {
			break
		}
		if c == '\r' {
			if next, peekErr := s.r.Peek(1); peekErr != nil || next[0] == '\n' {
				continue
			}
		}
		if quoted {
			return false, s.fault("%q follows a closing quote; quotes inside quoted fields are doubled", c)
		}
		if s.data = append(s.data, c); len(s.data)-start > maxField {
			return false, s.fault("more than %d bytes in a field", maxField)
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	if !utf8.Valid(s.data[start:]) {
		return false, s.fault("the text is not UTF-8")
	}
	s.ends, s.quoted = append(s.ends, len(s.data)), append(s.quoted, quoted)
	if err == nil && c == '\n' {
		s.next++
	}
	return err == nil && c == s.comma, nil
}

// inQuotes reads up to the closing quote.
func (s *csvScanner) inQuotes(start int) error {
	began := s.next
	for {
		c, err := s.r.ReadByte()
		if errors.Is(err, io.EOF) {
			return s.fault("the quote that opens at line %d is never closed", began)
		}
		if err != nil {
			return err
		}
		switch c {
		case '"':
			if next, err := s.r.Peek(1); err != nil || next[0] != '"' {
				return nil
			}
			s.r.Discard(1)
		case '\n':
			s.next++
		}
		if s.data = append(s.data, c); len(s.data)-start > maxField {
			return s.fault("more than %d bytes in a field", maxField)
		}
	}
}

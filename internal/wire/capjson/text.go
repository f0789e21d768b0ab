package capjson

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// text is JSON whose syntax is known to be right, and how far it was read.
type text struct {
	b  []byte
	at int
}

// newText checks the syntax of a body and drops the zero byte that clients put behind it.
func newText(body []byte) (*text, error) {
	if n := len(body); n > 0 && body[n-1] == 0 {
		body = body[:n-1]
	}
	if !json.Valid(body) {
		return nil, &Error{Err: malformed("not JSON")}
	}
	return &text{b: body}, nil
}

// next passes over blanks and returns the byte after them, 0 at the end.
func (t *text) next() byte {
	for t.at < len(t.b) {
		switch c := t.b[t.at]; c {
		case ' ', '\t', '\r', '\n':
			t.at++
		default:
			return c
		}
	}
	return 0
}

// take passes over the next byte if it is c.
func (t *text) take(c byte) bool {
	if t.next() != c {
		return false
	}
	t.at++
	return true
}

// word passes over a number, true, false or null and returns it.
func (t *text) word() []byte {
	t.next()
	n := bytes.IndexAny(t.b[t.at:], " \t\r\n,]}")
	if n < 0 {
		n = len(t.b) - t.at
	}
	w := t.b[t.at : t.at+n]
	t.at += n
	return w
}

// quoted passes over a text and returns what stands between its quotes.
func (t *text) quoted() []byte {
	t.next()
	t.at++
	from := t.at
	for t.b[t.at] != '"' {
		if t.b[t.at] == '\\' {
			t.at++
		}
		t.at++
	}
	t.at++
	return t.b[from : t.at-1]
}

// skip passes over a value.
func (t *text) skip() {
	switch t.next() {
	case '"':
		t.quoted()
	case '{', '[':
		t.skipNested()
	default:
		t.word()
	}
}

// skipNested passes over an object or array.
func (t *text) skipNested() {
	for depth := 0; ; {
		switch t.b[t.at] {
		case '"':
			t.quoted()
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if t.at++; depth == 0 {
			return
		}
	}
}

// count returns how many elements the array has whose bracket was just taken, and stays there.
func (t *text) count() int {
	ahead, n := text{t.b, t.at}, 0
	for !ahead.take(']') {
		ahead.skip()
		ahead.take(',')
		n++
	}
	return n
}

// simpleEscapes are those that stand for one byte.
var simpleEscapes = map[byte]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unquote returns the bytes of a text. Bytes that are not UTF-8 stay as they are.
func unquote(q []byte) []byte {
	if bytes.IndexByte(q, '\\') < 0 {
		return q
	}
	b := make([]byte, 0, len(q))
	for i := 0; i < len(q); i++ {
		if q[i] != '\\' {
			b = append(b, q[i])
			continue
		}
		if i++; q[i] != 'u' {
			b = append(b, simpleEscapes[q[i]])
			continue
		}
		r := hexRune(q[i+1:])
		i += 4
		if utf16.IsSurrogate(r) && len(q) > i+6 && q[i+1] == '\\' && q[i+2] == 'u' {
			if pair := utf16.DecodeRune(r, hexRune(q[i+3:])); pair != utf8.RuneError {
				r = pair
				i += 6
			}
		}
		b = utf8.AppendRune(b, r)
	}
	return b
}

// hexRune reads the four digits of an escape, whose syntax is known to be right.
func hexRune(q []byte) rune {
	n, err := strconv.ParseUint(string(q[:4]), 16, 16)
	if err != nil {
		return utf8.RuneError
	}
	return rune(n)
}

const hexDigits = "0123456789abcdef"

// appendQuoted writes a text. Bytes that are not UTF-8 stay as they are.
func appendQuoted(b, s []byte) []byte {
	b = append(b, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

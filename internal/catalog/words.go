package catalog

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The search finds words (decision 147). They are taken from texts here and not by the databases, so that both find the same:
// SQLite gets them separated by blanks, PostgreSQL as lexemes.

const (
	maxWord = 64 // bytes of a word that count
	// maxWords is how many words of one text count, maxTerms how many of a query.
	maxWords, maxTerms = 4096, 16
	gramLength         = 3 // characters of the parts of names
)

// words returns the words of a text in order: runs of letters and digits in lower case. Of scripts that put no blanks between
// words each character is one.
func words(text string, most int) []string {
	var list []string
	var b strings.Builder
	end := func() {
		if b.Len() > 0 && len(list) < most {
			list = append(list, b.String())
		}
		b.Reset()
	}
	for _, r := range text {
		switch {
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer):
			end()
			b.WriteRune(r)
			end()
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.Is(unicode.Mn, r) && b.Len() > 0:
			if r = unicode.ToLower(r); b.Len()+utf8.RuneLen(r) <= maxWord {
				b.WriteRune(r)
			}
		default:
			end()
		}
		if len(list) == most {
			return list
		}
	}
	end()
	return list
}

// grams returns the parts of a word, one beginning at each character, in order: a text is in the word if its parts are in
// that order among them. A word that is shorter than a part has none.
func grams(word string) []string {
	runes := []rune(word)
	var list []string
	for i := 0; i+gramLength <= len(runes); i++ {
		list = append(list, string(runes[i:i+gramLength]))
	}
	return list
}

// texts are the words of one asset.
type texts struct {
	name, tags, description, namespace, metadata []string
	// grams are those of the words of the name, an empty text between words.
	grams []string
}

func (t *texts) setName(name string) {
	t.name = words(name, maxWords)
	for _, w := range t.name {
		if list := grams(w); len(list) > 0 {
			t.grams = append(append(t.grams, list...), "")
		}
	}
}

// wordEnd stands in SQLite's index between the parts of two words; it is no part of any.
const wordEnd = "0g"

// columns returns the words as SQLite's index takes them.
func (t *texts) columns() []any {
	parts := slices.Clone(t.grams)
	for i, g := range parts {
		if g == "" {
			parts[i] = wordEnd
		}
	}
	var list []any
	for _, c := range [][]string{t.name, t.tags, t.description, t.namespace, parts, t.metadata} {
		list = append(list, strings.Join(c, " "))
	}
	return list
}

// vector returns the words as PostgreSQL takes them as a text search vector.
func (t *texts) vector() string {
	type place struct {
		at     int
		weight byte
	}
	const most = 16000 // positions that a vector can tell apart
	found := map[string][]place{}
	at := 0
	add := func(word string, weight byte) {
		if at = min(at+1, most); len(found[word]) < 200 {
			found[word] = append(found[word], place{at, weight})
		}
	}
	for _, w := range t.name {
		add(w, 'A')
	}
	for _, g := range t.grams {
		if g == "" {
			at++ // the parts of two words do not follow one another
			continue
		}
		add("~"+g, 'D')
	}
	for _, list := range [][]string{t.tags, t.description, t.namespace} {
		for _, w := range list {
			add(w, 'B')
		}
	}
	for _, w := range t.metadata {
		add(w, 'C')
	}
	var b strings.Builder
	for _, word := range sortedKeys(found) {
		b.WriteByte('\'')
		b.WriteString(word)
		b.WriteString("':")
		for i, p := range found[word] {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strconv.Itoa(p.at))
			b.WriteByte(p.weight)
		}
		b.WriteByte(' ')
	}
	return b.String()
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// match says which words of an asset a query may be about.
type match uint8

const (
	anywhere match = iota
	inEntry        // not in the metadata
	inName
)

// sqliteQuery returns the query of terms for SQLite's index: each term begins a word, or is a part of the name.
func sqliteQuery(terms []string, m match) string {
	columns := [...]string{"{name tags description namespace metadata}", "{name tags description namespace}", "name"}[m]
	parts := make([]string, len(terms))
	for i, term := range terms {
		part := columns + ` : "` + term + `" *`
		if list := grams(term); len(list) > 0 {
			part += ` OR grams : "` + strings.Join(list, " ") + `"`
		}
		parts[i] = "(" + part + ")"
	}
	return strings.Join(parts, " AND ")
}

// postgresQuery is sqliteQuery for PostgreSQL.
func postgresQuery(terms []string, m match) string {
	weights := [...]string{"ABC", "AB", "A"}[m]
	parts := make([]string, len(terms))
	for i, term := range terms {
		part := "'" + term + "':*" + weights
		if list := grams(term); len(list) > 0 {
			part += " | ('~" + strings.Join(list, "' <-> '~") + "')"
		}
		parts[i] = "(" + part + ")"
	}
	return strings.Join(parts, " & ")
}

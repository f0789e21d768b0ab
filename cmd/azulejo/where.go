package main

import (
	"fmt"
	"strings"
	"time"

	"azulejo/cells"
	"azulejo/condition"
	"azulejo/datatype"
	"azulejo/schema"
)

// parseWhere reads comparisons joined by "and" and "or", of which "and" binds stronger: a < 100 and s == "x" or b is null.
func parseWhere(text string, s *schema.Array) (*condition.Node, error) {
	var anyOf []*condition.Node
	for _, part := range splitWord(text, "or") {
		var allOf []*condition.Node
		for _, one := range splitWord(part, "and") {
			node, err := parseTest(strings.TrimSpace(one), s)
			if err != nil {
				return nil, err
			}
			allOf = append(allOf, node)
		}
		anyOf = append(anyOf, condition.AllOf(allOf...))
	}
	return condition.AnyOf(anyOf...), nil
}

// splitWord cuts a text at a word that stands outside quotes.
func splitWord(text, word string) []string {
	var parts []string
	start := 0
	quote := byte(0)
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == ' ' && len(text) > i+len(word)+1 && strings.EqualFold(text[i+1:i+1+len(word)], word) && text[i+1+len(word)] == ' ':
			parts = append(parts, text[start:i])
			i += len(word)
			start = i + 1
		}
	}
	return append(parts, text[start:])
}

// parseTest reads one comparison or test for null. A text in quotes that is compared with a field of an enumeration is a
// label.
func parseTest(text string, s *schema.Array) (*condition.Node, error) {
	for suffix, make := range map[string]func(string) *condition.Node{" is null": condition.IsNull, " is not null": condition.IsValid} {
		if len(text) > len(suffix) && strings.EqualFold(text[len(text)-len(suffix):], suffix) {
			name := strings.TrimSpace(text[:len(text)-len(suffix)])
			if _, ok := s.Field(name); !ok {
				return nil, fmt.Errorf("condition %q: no field %q in the array", text, name)
			}
			return make(name), nil
		}
	}
	if last := text[max(0, len(text)-1):]; last == `"` || last == "'" {
		for _, o := range conditionOps {
			name, value, ok := strings.Cut(text, o.text)
			f, known := s.Field(strings.TrimSpace(name))
			if ok && known && !f.Dimension && s.Attributes[f.Index].Enumeration != "" {
				return condition.CompareLabel(f.Name, o.op, strings.Trim(strings.TrimSpace(value), `"'`)), nil
			}
		}
	}
	return parseCondition(text, s)
}

// parseMoment reads a date or a date with a time as a value of one of the DATETIME types.
func parseMoment(text string, t datatype.Type) (int64, bool) {
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04:05", time.DateTime, time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			v, err := cells.FromTime(t, at)
			return v, err == nil
		}
	}
	return 0, false
}

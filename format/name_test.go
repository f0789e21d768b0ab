package format

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

const someUUID = "0123456789abcdef0123456789abcdef"

func TestParseName(t *testing.T) {
	for s, want := range map[string]Name{
		"__10_20_" + someUUID + "_22":                             {10, 20, someUUID, 22},
		"__10_20_" + someUUID:                                     {10, 20, someUUID, 0},
		"__18446744073709551615_18446744073709551615_" + someUUID: {^uint64(0), ^uint64(0), someUUID, 0},
		"__5dc2cc9cce204a189f825fd4919d0c55_1541540586869":        {1541540586869, 1541540586869, "5dc2cc9cce204a189f825fd4919d0c55", 2},
		"__5dc2cc9cce204a189f825fd4919d0c55_16_15":                {15, 15, "5dc2cc9cce204a189f825fd4919d0c55", 2},
	} {
		got, err := ParseName(s)
		if err != nil || got != want {
			t.Errorf("%s: got %+v, error %v", s, got, err)
		}
		if want.Version != 2 && got.String() != s {
			t.Errorf("%s prints as %s", s, got)
		}
	}
	for _, s := range []string{
		"", "__", "__1_2", "1_2_" + someUUID, "__2_1_" + someUUID + "_22", "__1_2_" + someUUID + "_x", "__1_2_" + someUUID + "_0",
		"__-1_2_" + someUUID, "__1_2_../../etc/passwd_22", "__1_2__22", "__1_2_" + someUUID + "_22_3", "__1_2_" + someUUID + ".wrt",
		"__99999999999999999999_99999999999999999999_" + someUUID, "__fragments", "__1_2_" + someUUID + "_4294967296",
	} {
		if n, err := ParseName(s); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%q parses as %+v, error %v", s, n, err)
		}
	}
}

func TestNewName(t *testing.T) {
	n := NewName(3, 4, Version)
	if back, err := ParseName(n.String()); err != nil || back != n || len(n.UUID) != uuidLen {
		t.Errorf("%s parses as %+v, error %v", n, back, err)
	}
	if e := NewEnumerationName(); !strings.HasPrefix(e, "__") || !strings.HasSuffix(e, "_0") || len(e) != 2+uuidLen+2 {
		t.Errorf("enumeration %s", e)
	}
}

// TestLabels expects labels to sort in the order they were made, and the counter to start in its lower half.
func TestLabels(t *testing.T) {
	l := newLabeler()
	var made []string
	for range 1000 {
		made = append(made, l.next())
	}
	if !slices.IsSorted(made) || len(slices.Compact(slices.Clone(made))) != len(made) {
		t.Error("labels are not in order")
	}
	for range 50 {
		if s := newLabeler().next(); s[0] > '8' {
			t.Errorf("first label %s", s)
		}
	}
}

func TestNameLess(t *testing.T) {
	a, b := Name{1, 9, "b", 22}, Name{2, 2, "a", 22}
	c := Name{2, 2, "b", 22}
	if !a.Less(b) || !b.Less(c) || c.Less(b) || b.Less(b) {
		t.Error("names are ordered by start, then by text")
	}
}

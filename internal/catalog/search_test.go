package catalog

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"azulejo/internal/access"
)

// TestSearch is the same on every database.
func TestSearch(t *testing.T) {
	w := newWorld(t)
	var ids []string
	for _, n := range []struct {
		name, description string
		tags              []string
		metadata          []MetadataText
	}{
		{"sales_2024", "Weekly numbers of the shop", []string{"money"}, nil},
		{"Sales", "", nil, []MetadataText{{"unit", "STRING_UTF8", "Euro, incl. tax"}, {"zahl", "INT32", "42"}}},
		{"cellmap", "Tissue of mouse and Mäuse; sales none", []string{"single-cell"}, []MetadataText{{"soma_object_type", "STRING_UTF8", "SOMAExperiment"}}},
		{"文書館", "日本の記録", nil, nil},
		{"quickstart_dense", "", nil, []MetadataText{{"note", "STRING_UTF8", "mouse sales"}}},
	} {
		*w.clock = w.clock.Add(time.Second)
		a := w.must(w.Create(ctx, w.grant(w.ann, access.ArrayCreate, space(w.ann)), NewAsset{Kind: Array, Name: n.name, Info: Info{Description: n.description, Tags: n.tags}}, makeDir))
		if err := w.NoteMetadata(ctx, w.grant(w.ann, access.ArrayRead, a.Object()), a, n.metadata); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, a.ID)
	}
	find := func(f Filter) string {
		t.Helper()
		list, total, err := w.List(ctx, f)
		if err != nil || total < len(list) {
			t.Fatal(total, err)
		}
		names := make([]string, len(list))
		for i, a := range list {
			names[i] = a.Name
		}
		return strings.Join(names, " ")
	}
	for search, want := range map[string]string{
		// The name itself, words of the name, of the entry, of the metadata.
		"sales": "Sales sales_2024 cellmap quickstart_dense", "SALE": "Sales sales_2024 cellmap quickstart_dense",
		"sales 2024": "sales_2024", "numbers week": "sales_2024", "money": "sales_2024", "mouse": "cellmap quickstart_dense", "mäu": "cellmap",
		"euro TAX": "Sales", "zahl": "Sales", "42": "Sales", "somaexp": "cellmap", "soma_object": "cellmap", "single-cell": "cellmap",
		"ellm": "cellmap", "art": "quickstart_dense", "kstart": "quickstart_dense", "tde": "", "文": "文書館", "本の": "文書館", "館文": "文書館",
		"ann": "quickstart_dense 文書館 cellmap Sales sales_2024", "absent": "", "sales absent": "", "%": "", `"`: "", "'": "", "* OR": "", "NEAR": "",
		"a AND b": "", "name:sales": "", "(": "", "\x00": "", "sa'le": "", strings.Repeat("x ", 99): "", strings.Repeat("y", 999): "",
	} {
		if got := find(Filter{Namespaces: []string{w.ann.NamespaceID}, Search: search}); got != want {
			t.Errorf("%q: %q, want %q", search, got, want)
		}
	}
	if got := find(Filter{Namespaces: []string{w.ann.NamespaceID}, Search: "sales", OrderBy: "name", PerPage: 2, Page: 2}); got != "quickstart_dense sales_2024" {
		t.Errorf("second page by name: %q", got)
	}
	if got := find(Filter{Namespaces: []string{w.ann.NamespaceID}, Search: "sales", PerPage: 2, Page: 2}); got != "cellmap quickstart_dense" {
		t.Errorf("second page of the best: %q", got)
	}

	// Metadata count for who may read them, and what is not seen is not found.
	bob := Filter{SharedTo: []string{w.bob.NamespaceID}, Own: []string{w.bob.NamespaceID}, Search: "mouse"}
	if got := find(bob); got != "" {
		t.Errorf("a stranger found %q", got)
	}
	share := func(i int, rights access.Rights) {
		t.Helper()
		a := w.must(w.Resolve(ctx, w.ann.NamespaceID, ids[i]))
		if err := w.Share(ctx, w.grant(w.ann, access.ArrayShare, a.Object()), a, w.bob.NamespaceID, rights, 0); err != nil {
			t.Fatal(err)
		}
	}
	share(2, access.CanReadInfo)
	share(4, access.CanReadInfo)
	if got := find(bob); got != "cellmap" {
		t.Errorf("by the entry alone: %q", got)
	}
	share(4, access.CanRead)
	if got := find(bob); got != "cellmap quickstart_dense" {
		t.Errorf("by the metadata of what may be read: %q", got)
	}
	whole := map[string]bool{ids[2]: false, ids[4]: false, ids[1]: true}
	for search, want := range map[string][]string{"mouse": {ids[2]}, "euro": {ids[1]}, "absent": nil, "!": nil} {
		got, err := w.Matching(ctx, search, whole)
		if err != nil || !slices.Equal(slices.Sorted(maps.Keys(got)), want) {
			t.Errorf("%q among some: %v, %v", search, got, err)
		}
	}
	kept, err := w.MetadataOf(ctx, ids)
	if err != nil || len(kept) != 3 || kept[ids[1]][1] != (MetadataText{"zahl", "INT32", "42"}) {
		t.Errorf("%v, %v", kept, err)
	}
}

// The index follows the entry: through changes, renames, transfers, deletion; and is made anew where it lacks something.
func TestIndexIsKeptCurrent(t *testing.T) {
	w := newWorld(t)
	a := w.must(w.create(w.ann, "first"))
	found := func(search string) int {
		t.Helper()
		_, n, err := w.List(ctx, Filter{Namespaces: []string{w.ann.NamespaceID, w.bob.NamespaceID}, Search: search})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	want := func(n int, searches ...string) {
		t.Helper()
		for _, s := range searches {
			if got := found(s); got != n {
				t.Errorf("%q finds %d, want %d", s, got, n)
			}
		}
	}
	want(1, "first")
	name, text := "second", "described"
	a, err := w.Update(ctx, w.grant(w.ann, access.ArrayDescribe, a.Object()), a, Patch{Name: &name, Description: &text, Tags: &[]string{"marked"}})
	if err != nil {
		t.Fatal(err)
	}
	want(0, "first")
	want(1, "second", "described", "marked")
	note := func(entries ...MetadataText) {
		t.Helper()
		if err := w.NoteMetadata(ctx, w.grant(w.ann, access.ArrayWrite, a.Object()), a, entries); err != nil {
			t.Fatal(err)
		}
	}
	note(MetadataText{Key: "k\x00\xff", Value: "older"}, MetadataText{Key: "gone", Value: strings.Repeat("long ", 9999) + "cut"})
	want(1, "older", "long", "second")
	want(0, "cut")
	note(MetadataText{Key: "k", Value: "newer"})
	want(0, "older", "gone", "long")
	want(1, "newer")
	table := "asset_rows"
	if w.db.Shared() {
		table = "asset_texts"
	}
	if err := w.db.Update(ctx, func(tx *sql.Tx) error { _, err := tx.ExecContext(ctx, "DELETE FROM "+table); return err }); err != nil {
		t.Fatal(err)
	}
	want(0, "second")
	for i, n := range []int{1, 0} {
		got, err := w.IndexMissing(ctx, func(_ context.Context, x Asset, at Location) ([]MetadataText, error) {
			if x.ID != a.ID || at.URI() != a.StorageURI() {
				return nil, fmt.Errorf("asked for %+v at %s", x, at.URI())
			}
			return []MetadataText{{Key: "read", Value: "again"}}, nil
		})
		if err != nil || got != n {
			t.Errorf("turn %d indexed %d, %v", i, got, err)
		}
	}
	want(1, "second", "again", "marked")
	want(0, "newer")
	if err := w.Deregister(ctx, w.grant(w.ann, access.ArrayDeregister, a.Object()), a); err != nil {
		t.Fatal(err)
	}
	want(0, "second", "again")
	w.must(w.create(w.ann, "third"))
	want(1, "third")
	want(0, "again")
}

func TestWords(t *testing.T) {
	for text, want := range map[string]string{"": "", " a-B_c ": "a b c", "Größe: 10µm": "größe 10µm", "日本語x": "日 本 語 x", "e\u0301t\u00e9": "e\u0301té",
		strings.Repeat("a", 100): strings.Repeat("a", maxWord), "x\x00y\xffz": "x y z"} {
		if got := strings.Join(words(text, 9), " "); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := words("a b c", 2); len(got) != 2 {
		t.Errorf("%q", got)
	}
	if got := strings.Join(grams("abcde"), " "); got != "abc bcd cde" || grams("ab") != nil {
		t.Error(got)
	}
}

func FuzzSearchIsAQuery(f *testing.F) {
	f.Add(`a"b' OR NEAR(x) : * ^ ( -- 日`)
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, search string) {
		if _, _, err := w.List(context.Background(), Filter{Namespaces: []string{w.ann.NamespaceID}, Search: search}); err != nil {
			t.Errorf("%q: %v", search, err)
		}
	})
}

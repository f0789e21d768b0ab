package api

import (
	"context"
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"azulejo/internal/access"
	"azulejo/internal/activity"
	"azulejo/internal/catalog"
	"azulejo/internal/token"
)

var benchAssets = flag.Int("catalog.assets", 100_000, "how many assets BenchmarkCatalog makes; users are a hundredth, organizations a thousandth of them")

// crowd is a catalogue with many people and assets.
type crowd struct {
	*world
	b   *testing.B
	rng *rand.Rand
	// users and organizations are ids of namespaces, assets ids with those of the namespaces that own them.
	users, organizations []string
	assets               [][2]string
}

// word returns a word of a vocabulary of 40,000 in which a word of rank n is in the texts n times as seldom as the first (Zipf's law).
func (c *crowd) word() string {
	n := int(math.Exp(c.rng.Float64() * math.Log(40_000)))
	return fmt.Sprintf("%s%05d", []string{"cell", "sales", "map", "river", "gene", "tile", "storm", "count"}[n%8], n)
}

func (c *crowd) words(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = c.word()
	}
	return strings.Join(list, " ")
}

func fixedID(kind, n int) string { return fmt.Sprintf("%08d-0000-4000-8000-%012d", kind, n) }

// fill writes rows, a batch in a transaction.
func (c *crowd) fill(n int, rows func(i int, add func(stmt string, args ...any))) {
	const batch = 5000
	for from := 0; from < n; from += batch {
		must(c.b, c.DB.Update(context.Background(), func(tx *sql.Tx) error {
			for i := from; i < min(n, from+batch); i++ {
				var failed error
				rows(i, func(stmt string, args ...any) {
					if _, err := tx.Exec(stmt, args...); err != nil && failed == nil {
						failed = err
					}
				})
				if failed != nil {
					return failed
				}
			}
			return nil
		}))
	}
}

func newCrowd(b *testing.B, assets int) *crowd {
	b.Helper()
	c := &crowd{world: newWorldIn(b, b.TempDir(), b.TempDir()), b: b, rng: rand.New(rand.NewPCG(1, 2))}
	const space = "INSERT INTO namespaces (id, name, name_key, kind, created_at) VALUES (?, ?, ?, ?, 0)"
	c.fill(assets/100, func(i int, add func(string, ...any)) {
		n, name := fixedID(1, i), fmt.Sprint("user", i)
		c.users = append(c.users, n)
		add(space, n, name, name, "user")
		add("INSERT INTO users (id, namespace_id, password_hash, created_at) VALUES (?, ?, 'none', 0)", fixedID(2, i), n)
	})
	c.fill(assets/1000, func(i int, add func(string, ...any)) {
		n, name := fixedID(3, i), fmt.Sprint("org", i)
		c.organizations = append(c.organizations, n)
		add(space, n, name, name, "organization")
		add("INSERT INTO organizations (namespace_id, created_at, updated_at) VALUES (?, 0, 0)", n)
		for m := range 20 {
			add("INSERT INTO members (organization_id, user_id, role, created_at) VALUES (?, ?, ?, 0)", n, fixedID(2, (i*10+m)%len(c.users)), []string{"read_only", "read_write", "owner"}[m%3])
		}
	})
	c.fill(assets, func(i int, add func(string, ...any)) {
		owner, asset, kind := c.users[c.rng.IntN(len(c.users))], fixedID(4, i), "array"
		if i%10 < 3 {
			owner = c.organizations[c.rng.IntN(len(c.organizations))]
		}
		if i%50 == 49 {
			kind = "group"
		}
		c.assets = append(c.assets, [2]string{asset, owner})
		tags, err := json.Marshal([]string{"a", string(rune('b' + i%20))})
		must(b, err)
		add(`INSERT INTO assets (id, namespace_id, kind, name, root, path, state, created_by, created_at, array_type, file_type, description, tags)
			VALUES (?, ?, ?, ?, 'default', ?, 'live', 'user0', ?, 'dense', ?, ?, ?)`, asset, owner, kind, fmt.Sprintf("%s_%s_%d", c.word(), c.word(), i), owner+"/"+asset,
			1_700_000_000+i, []string{"", "", "", "file", "notebook"}[i%5], c.words(12), string(tags))
		to := ""
		switch c.rng.IntN(20) {
		case 0:
			to = access.PublicNamespace
		case 1, 2:
			to = c.users[c.rng.IntN(len(c.users))]
		case 3:
			to = c.organizations[c.rng.IntN(len(c.organizations))]
		}
		if to != "" && to != owner {
			add("INSERT INTO shares (asset_id, namespace_id, rights, member_rights, created_by, created_at) VALUES (?, ?, ?, ?, '', 0)", asset, to,
				"read read_array_info read_array_schema", map[bool]string{true: "read read_array_info read_array_schema"}[kind == "group"])
		}
	})
	c.fill(assets/50, func(i int, add func(string, ...any)) {
		for m := range 20 {
			add("INSERT INTO group_members (group_id, asset_id, shared) VALUES (?, ?, ?)", fixedID(4, i*50+49), fixedID(4, i*50+m), true)
		}
	})
	_, err := c.Catalog.IndexMissing(context.Background(), func(context.Context, catalog.Asset, catalog.Location) ([]catalog.MetadataText, error) {
		return []catalog.MetadataText{{Key: "dataset_type", Value: c.word()}, {Key: "unit", Value: c.words(3)}, {Key: "note", Value: c.words(10)}}, nil
	})
	must(b, err)
	return c
}

// person returns a token of a user.
func (c *crowd) person(i int) string {
	u, err := c.Accounts.ByID(context.Background(), fixedID(2, i))
	must(c.b, err)
	secret, _, err := c.Tokens.Create(context.Background(), token.SubjectOf(u), token.NewToken{})
	must(c.b, err)
	return secret.Reveal()
}

// measure times calls one by one and reports the median and the 99th percentile.
func measure(b *testing.B, call func(i int)) {
	b.Helper()
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		begun := time.Now()
		call(i)
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1e6, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1e6, "p99-ms")
}

// BenchmarkCatalog is what lists, searches, permission checks and tokens cost with many assets and people. Run it with
// -benchtime 300x; figures are in docs/performance.md.
func BenchmarkCatalog(b *testing.B) {
	c := newCrowd(b, *benchAssets)
	var people []string
	for i := range 20 {
		people = append(people, c.person(i))
	}
	page := func(path string) func(b *testing.B) {
		return func(b *testing.B) {
			measure(b, func(i int) {
				r := httptest.NewRequest(get, strings.ReplaceAll(strings.ReplaceAll(path, "WORD", c.word()), "USER", fmt.Sprint("user", i%20)), nil)
				r.Header.Set("X-TILEDB-REST-API-Key", people[i%20])
				recorder := httptest.NewRecorder()
				c.server.ServeHTTP(recorder, r)
				if recorder.Code != 200 {
					b.Fatalf("%s: %d %s", path, recorder.Code, recorder.Body)
				}
			})
		}
	}
	for _, l := range []struct{ name, path string }{
		{"list/owned", "/v1/arrays/browser/owned?per_page=50"}, {"list/shared", "/v1/arrays/browser/shared?per_page=50"}, {"list/public", "/v1/arrays/browser/public?per_page=50"},
		{"list/public-by-name-page-20", "/v1/arrays/browser/public?per_page=50&page=20&orderby=name"}, {"list/assets", "/v1/assets/USER?per_page=50"},
		{"list/groups", "/v1/groups/browser/owned?per_page=50"}, {"list/sidebar", "/v1/arrays/browser/public/sidebar"},
		{"search/owned", "/v1/arrays/browser/owned?search=WORD"}, {"search/shared", "/v1/arrays/browser/shared?search=WORD"}, {"search/public", "/v1/arrays/browser/public?search=WORD"},
		{"search/public-two-words", "/v1/arrays/browser/public?search=WORD+WORD"}, {"search/public-frequent", "/v1/public_assets?search=cell"},
	} {
		b.Run(l.name, page(l.path))
	}
	u, err := c.Accounts.ByID(context.Background(), fixedID(2, 0))
	must(b, err)
	subject := token.SubjectOf(u)
	subject.Memberships, err = c.Accounts.Memberships(context.Background(), u.ID)
	must(b, err)
	b.Run("permission", func(b *testing.B) {
		measure(b, func(i int) {
			x := c.assets[c.rng.IntN(len(c.assets))]
			found, err := c.Catalog.Resolve(context.Background(), x[1], x[0])
			must(b, err)
			_, err = access.Allowed(subject, access.ArrayRead, found.Object())
			_ = err // most are refused: that is what is measured
		})
	})
	b.Run("token", func(b *testing.B) {
		measure(b, func(int) {
			if _, err := c.Tokens.Verify(context.Background(), people[0], activity.Origin{}); err != nil {
				b.Fatal(err)
			}
		})
	})
}

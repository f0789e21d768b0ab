package metamorphic

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"azulejo/array"
	"azulejo/internal/oracle/launch"
	"azulejo/schema"
	"azulejo/vfs/file"
)

var sample = flag.Int("metamorphic.sample", 15, "random arrays that libtiledb answers about")

// request and reply are what testdata/metamorphic.py reads and writes.
type request struct {
	URI   string   `json:"uri"`
	Key   string   `json:"key"`
	Ends  []uint64 `json:"ends"`
	Modes []string `json:"modes"`
	// Widths are the bytes of a cell of fields of fixed size, 0 for others.
	Widths map[string]int `json:"widths"`
}

type reply struct {
	Cells   [][]string `json:"cells"`
	Refused string     `json:"refused"`
}

// TestLibtiledbAgrees lets libtiledb read the arrays of random lists at several times, and consolidate and vacuum them, and
// reads them again.
func TestLibtiledbAgrees(t *testing.T) {
	dir := t.TempDir()
	var players []*player
	var requests []request
	rng := rand.New(rand.NewPCG(*seed, 5))
	for i := range *sample {
		s := newStory(*seed + uint64(i))
		s.spreadOut()
		p := s.player(dir)
		p.fs, p.uri = file.New(), filepath.Join(dir, fmt.Sprint("a", i))
		p.groupURI = p.uri + "-group"
		err := p.create()
		for k := 0; k < len(s.ops) && err == nil; k++ {
			err = p.do(s.ops[k])
		}
		if err != nil {
			t.Fatalf("seed %d: %v", s.seed, err)
		}
		r := request{URI: p.uri, Ends: []uint64{epoch + 1000, epoch + uint64(rng.IntN(40)), epoch + uint64(rng.IntN(40))}, Widths: p.widths()}
		if p.spec.key != nil {
			r.Key = keyText
		}
		all := []string{"commits", "fragments", "fragment_meta", "array_meta", "commits"}
		r.Modes = all[:rng.IntN(len(all)+1)]
		players, requests = append(players, p), append(requests, r)
	}
	replies := askPython(t, dir, requests)
	refused, compared := 0, 0
	for i, p := range players {
		if replies[i].Refused != "" {
			refused++
		}
		for k, end := range requests[i].Ends {
			if replies[i].Cells[k] == nil && strings.Contains(replies[i].Refused, "Unimplemented") {
				continue // the Python client does not know the type of text
			}
			compared++
			p.sameAs(t, *seed+uint64(i), end, replies[i].Cells[k])
		}
		if err := p.askAll(rng, epoch+1000); err != nil {
			t.Errorf("seed %d, after maintenance by libtiledb, %v: %v\n%s", *seed+uint64(i), requests[i].Modes, err, strings.Join(p.log, "\n"))
		}
		if err := p.check(); err != nil {
			t.Errorf("seed %d, after maintenance by libtiledb, %v: %v", *seed+uint64(i), requests[i].Modes, err)
		}
	}
	t.Logf("%d arrays, %d reads compared, %d arrays with something that libtiledb refuses", len(players), compared, refused)
}

// widths returns the bytes of a cell of every field that there ever was.
func (p *player) widths() map[string]int {
	out := map[string]int{}
	add := func(f schema.Field) {
		if out[f.Name] = 0; !f.Var() {
			out[f.Name] = f.CellSize()
		}
	}
	for i := range p.dims {
		add(p.schema.DimensionField(i))
	}
	for _, s := range p.shapes {
		for _, a := range s.attrs {
			add(schema.Field{Name: a.Name, Type: a.Type, CellValNum: a.CellValNum})
		}
	}
	return out
}

// sameAs compares what libtiledb reads at a time with the model; nil cells are a read that was refused.
func (p *player) sameAs(t *testing.T, seed, end uint64, got []string) {
	t.Helper()
	fits := true
	for _, d := range p.deletes {
		fits = fits && (d.time > end || p.fits(d.cond, end))
	}
	if !fits {
		return
	}
	q := p.whole(array.Interval{End: end})
	q.layout = schema.RowMajor
	want := p.answer(q)
	slices.Sort(want)
	if slices.Equal(got, want) {
		return
	}
	if err := p.judge(q, got, want); err != nil {
		t.Errorf("seed %d: libtiledb at %d: %v\n%s", seed, end-epoch, err, strings.Join(p.log, "\n"))
	}
}

func askPython(t *testing.T, dir string, requests []request) (out []reply) {
	t.Helper()
	if err := launch.DependOn("testdata"); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(requests)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "questions.json"), raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	program := launch.Python(t).Script(nil, filepath.Join("testdata", "metamorphic.py"), dir)
	program.Limit = 5 * time.Minute
	if _, err := program.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if raw, err = os.ReadFile(filepath.Join(dir, "answers.json")); err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

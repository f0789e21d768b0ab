package consolidate_test

import (
	"context"
	"fmt"
	"testing"

	"azulejo/array"
	"azulejo/consolidate"
	"azulejo/schema"
)

func TestPlan(t *testing.T) {
	ctx := context.Background()
	fs := newArray(t, schema.Sparse, false, at(10, 1, 2, 3, 4), at(20, 3, 6), at(30, 10), at(40, 12), at(50, run(15, 20)...))
	a, err := array.Open(ctx, fs, uri, array.Latest())
	must(t, err)
	short := map[string]string{}
	for _, f := range a.Fragments() {
		short[f.Name().String()] = fmt.Sprint(f.Name().Start)
	}
	for size, want := range map[uint64]string{
		1:       "[[10 20] [30] [40] [50]]", // all are much larger
		12000:   "[[10 20] [30 40 50]]",     // the small ones
		1 << 20: "[[10 20 30 40 50]]",
	} {
		groups, err := consolidate.Plan(ctx, fs, uri, size, consolidate.Options{})
		must(t, err)
		for _, g := range groups {
			for i := range g {
				g[i] = short[g[i]]
			}
		}
		if got := fmt.Sprint(groups); got != want {
			t.Errorf("size %d: %s, want %s", size, got, want)
		}
	}
}

package consolidate

import (
	"context"
	"slices"

	"azulejo/array"
	"azulejo/schema"
	"azulejo/vfs"
)

// Plan returns groups of fragments of the array at a URI, by name, that are worth merging so that fragments get about the
// size given in bytes and do not overlap, as libtiledb's consolidation plan does: fragments that overlap belong together;
// small ones are joined where what they span together overlaps no other; one that stands alone is much larger than wanted.
// Each group may be the Names of Options, with the size as MaxFragmentSize.
func Plan(ctx context.Context, fs vfs.FS, uri string, size uint64, o Options) ([][]string, error) {
	a, err := array.Open(ctx, fs, uri, o.interval(), array.WithKey(o.Key))
	if err != nil {
		return nil, err
	}
	infos, err := a.FragmentInfos(ctx)
	if err != nil {
		return nil, err
	}
	p := planner{candidates: candidates{dims: a.Schema.Domain.Dimensions}, size: size}
	for _, info := range infos {
		p.nodes = append(p.nodes, &planNode{[]string{info.Name}, info.NonEmptyDomain, info.NBytes})
	}
	p.joinOverlapping()
	p.joinSmall()
	groups := partition(p.nodes, func(n *planNode) bool { return len(n.names) > 1 })
	single := partition(p.nodes[groups:], func(n *planNode) bool { return float64(n.nBytes) >= 1.5*float64(size) })
	names := make([][]string, groups+single)
	for i := range names {
		names[i] = p.nodes[i].names
	}
	return names, nil
}

// partition moves the nodes that are wanted to the front, by exchanging the first unwanted with the last wanted one as long
// as there are such, which is libtiledb's order, and returns how many they are.
func partition(nodes []*planNode, wanted func(*planNode) bool) int {
	first, last := 0, len(nodes)
	for {
		for first < last && wanted(nodes[first]) {
			first++
		}
		for first < last && !wanted(nodes[last-1]) {
			last--
		}
		if first >= last {
			return first
		}
		nodes[first], nodes[last-1] = nodes[last-1], nodes[first]
	}
}

// planner makes a plan.
type planner struct {
	candidates
	size  uint64
	nodes []*planNode
}

// planNode is a group of fragments in the making.
type planNode struct {
	names  []string
	domain []schema.Range
	nBytes uint64
}

// join puts the fragments of node j into node i.
func (p *planner) join(i, j int) {
	to, from := p.nodes[i], p.nodes[j]
	to.names = append(to.names, from.names...)
	to.domain = p.union(to.domain, from.domain)
	to.nBytes += from.nBytes
	p.nodes = slices.Delete(p.nodes, j, j+1)
}

// joinOverlapping joins nodes until none overlap.
func (p *planner) joinOverlapping() {
	for found := true; found; {
		found = false
		for i := 0; i < len(p.nodes); i++ {
			for j := i + 1; j < len(p.nodes); {
				if p.overlap(p.nodes[i].domain, p.nodes[j].domain) {
					p.join(i, j)
					found = true
				} else {
					j++
				}
			}
		}
	}
}

// joinSmall joins small nodes that may be joined until none are left.
func (p *planner) joinSmall() {
	small := p.size / 2
	for found := true; found; {
		found = false
		for i := 0; i < len(p.nodes); i++ {
			if p.nodes[i].nBytes > small {
				continue
			}
			for j := i + 1; j < len(p.nodes); {
				if p.nodes[j].nBytes <= small && p.apart(i, j) {
					p.join(i, j)
					found = true
				} else {
					j++
				}
			}
		}
	}
}

// apart reports whether what two nodes span together overlaps no other.
func (p *planner) apart(i, j int) bool {
	both := p.union(p.nodes[i].domain, p.nodes[j].domain)
	for k, n := range p.nodes {
		if k != i && k != j && p.overlap(n.domain, both) {
			return false
		}
	}
	return true
}

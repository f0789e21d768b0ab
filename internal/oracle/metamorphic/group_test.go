package metamorphic

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"azulejo/array"
	"azulejo/consolidate"
	"azulejo/format"
	"azulejo/group"
	"azulejo/vfs"
)

// members is what should be in a group's folder.
type members struct {
	exists  bool
	changes []membership
	notebook
}

// membership is who the members are from a time on, by key.
type membership struct {
	time uint64
	list map[string]string
}

func (m *members) clone() members {
	return members{m.exists, slices.Clone(m.changes), m.notebook.clone()}
}

// in returns who the members are at a time.
func (m *members) in(end uint64) map[string]string {
	var found map[string]string
	for _, c := range m.changes {
		if c.time <= end {
			found = c.list
		}
	}
	return found
}

func memberText(m group.Member) string { return fmt.Sprint(m.Type, m.URI, m.Relative, m.Name, m.Named) }

// changeGroup adds and removes members of the group, where there is one, or puts metadata, or merges or vacuums that.
func (p *player) changeGroup(rng *rand.Rand, at uint64) error {
	if !p.group.exists {
		return nil
	}
	switch rng.IntN(6) {
	case 0:
		p.note("consolidate group_meta")
		err := consolidate.Run(p.ctx, p.fs, p.groupURI, consolidate.ModeGroupMeta, consolidate.Options{Key: p.spec.key})
		if err == nil {
			p.group.mergeNotes(array.Interval{End: epoch + 1000})
		}
		return err
	case 1:
		p.note("vacuum group_meta")
		err := consolidate.Vacuum(p.ctx, p.fs, p.groupURI, consolidate.ModeGroupMeta)
		if err == nil {
			p.group.hidden = nil
		}
		return err
	}
	g, err := group.Open(p.ctx, p.fs, p.groupURI, group.Latest(), group.WithKey(p.spec.key))
	if err != nil {
		return err
	}
	if rng.IntN(2) == 0 {
		n, entries := p.group.draw(rng, at)
		p.note("put metadata of the group at %d: %v", n.start-epoch, n.keys)
		if err = g.PutMetadata(p.ctx, entries, n.start); err == nil {
			p.group.notes = append(p.group.notes, n)
		}
		return err
	}
	if n := len(p.group.changes); n > 0 {
		at = max(at, p.group.changes[n-1].time+1) // each list is made of the one before
	}
	next := membership{at, maps.Clone(p.group.in(at))}
	if next.list == nil {
		next.list = map[string]string{}
	}
	var add []group.Member
	var remove []string
	for i := range 5 {
		m := group.Member{Type: []format.ObjectType{format.ObjectArray, format.ObjectGroup}[i%2], URI: fmt.Sprint("member", i), Relative: true}
		if i > 2 {
			m.Name, m.Named = fmt.Sprint("name", i), true
		}
		if i > 3 {
			m.URI, m.Relative = vfs.Join(p.groupURI, "elsewhere"), false
		}
		_, had := next.list[m.Key()]
		switch {
		case rng.IntN(2) == 0:
		case had:
			remove = append(remove, m.Key())
			delete(next.list, m.Key())
		default:
			add = append(add, m)
			next.list[m.Key()] = memberText(m)
		}
	}
	if len(add)+len(remove) == 0 {
		return nil
	}
	p.note("members at %d: %v", at-epoch, next.list)
	if err = g.Update(p.ctx, add, remove, at); err == nil {
		p.group.changes = append(p.group.changes, next)
	}
	return err
}

// compareGroup compares the group at a time.
func (p *player) compareGroup(end uint64) error {
	if !p.group.exists {
		return nil
	}
	at := array.Interval{End: end}
	g, err := group.Open(p.ctx, p.fs, p.groupURI, at, group.WithKey(p.spec.key))
	if err != nil {
		return err
	}
	got := map[string]string{}
	for _, m := range g.Members() {
		got[m.Key()] = memberText(m)
	}
	if want := p.group.in(end); !maps.Equal(got, want) {
		return fmt.Errorf("%w: members in %v: %v, want %v", errAnswer, short(at), got, want)
	}
	entries, err := g.Metadata(p.ctx)
	if err != nil {
		return err
	}
	return p.group.sameNotes(entries, at)
}

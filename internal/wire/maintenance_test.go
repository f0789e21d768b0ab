package wire

import (
	"errors"
	"reflect"
	"testing"

	capnplib "capnproto.org/go/capnp/v3"

	"azulejo/internal/wire/capnp"
)

func TestMaintenanceBodies(t *testing.T) {
	body := func(build func(e *encoder, seg *capnplib.Segment)) []byte {
		b, err := encode(build)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	consolidate := body(func(e *encoder, seg *capnplib.Segment) {
		m, err := capnp.NewRootArrayConsolidationRequest(seg)
		e.ok(err)
		list, err := m.NewFragments(2)
		e.fillTexts([]string{"__1_1_a_22", "__2_2_b_22"}, list, err)
		c, err := m.NewConfig()
		e.ok(err)
		entries, err := c.NewEntries(2)
		e.ok(err)
		e.ok(entries.At(0).SetKey("sm.consolidation.mode"))
		e.ok(entries.At(0).SetValue("commits"))
		e.ok(entries.At(1).SetKey("rest.token"))
		e.ok(entries.At(1).SetValue("secret"))
	})
	c, names, err := DecodeConsolidate(consolidate)
	if err != nil || c.Text("sm.consolidation.mode", "") != "commits" || len(c) != 1 || !reflect.DeepEqual(names, []string{"__1_1_a_22", "__2_2_b_22"}) {
		t.Error(c, names, err)
	}
	if got := c.Text("sm.vacuum.mode", "fragments"); got != "fragments" {
		t.Error("an absent setting is", got)
	}
	plan := body(func(e *encoder, seg *capnplib.Segment) {
		m, err := capnp.NewRootConsolidationPlanRequest(seg)
		e.ok(err)
		m.SetFragmentSize(1 << 40)
	})
	if size, err := DecodePlanSize(plan); size != 1<<40 || err != nil {
		t.Error(size, err)
	}
	times := body(func(e *encoder, seg *capnplib.Segment) {
		m, err := capnp.NewRootArrayDeleteFragmentsTimestampsRequest(seg)
		e.ok(err)
		m.SetStartTimestamp(3)
		m.SetEndTimestamp(1<<64 - 1)
	})
	if start, end, err := DecodeDeleteFragments(times); start != 3 || end != 1<<64-1 || err != nil {
		t.Error(start, end, err)
	}
	list := body(func(e *encoder, seg *capnplib.Segment) {
		m, err := capnp.NewRootArrayDeleteFragmentsListRequest(seg)
		e.ok(err)
		entries, err := m.NewEntries(1)
		e.fillTexts([]string{"__fragments/__1_1_a_22"}, entries, err)
	})
	if names, err := DecodeDeleteFragmentsList(list); err != nil || !reflect.DeepEqual(names, []string{"__fragments/__1_1_a_22"}) {
		t.Error(names, err)
	}
	if _, err := DecodeDeleteFragmentsList(times); !errors.Is(err, ErrMalformed) {
		t.Error("a list of nothing:", err)
	}
}

func TestEncodePlan(t *testing.T) {
	b, err := EncodePlan([][]string{{"a", "b"}, nil, {"c"}})
	if err != nil {
		t.Fatal(err)
	}
	root, err := openWhole(b)
	if err != nil {
		t.Fatal(err)
	}
	lists, err := capnp.ConsolidationPlanResponse(root).FragmentUrisPerNode()
	if err != nil || lists.Len() != 3 {
		t.Fatal(lists.Len(), err)
	}
	var got [][]string
	p := newPlace()
	for i := range lists.Len() {
		ptr, err := lists.At(i)
		p.check(err)
		got = append(got, p.texts(capnplib.TextList(ptr.List()), nil))
	}
	if !reflect.DeepEqual(got, [][]string{{"a", "b"}, nil, {"c"}}) || p.err() != nil {
		t.Error(got, p.err())
	}
}

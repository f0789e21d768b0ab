package wire

import (
	capnplib "capnproto.org/go/capnp/v3"

	"azulejo/internal/wire/capnp"
)

// DecodeConsolidate reads the body of POST …/consolidate: the settings, and the fragments to merge when the client names
// them.
func DecodeConsolidate(body []byte) (Config, []string, error) {
	root, err := openWhole(body)
	if err != nil {
		return nil, nil, err
	}
	p := newPlace()
	c, _ := decodeConfig(p.at("config"), body, requestConfig)
	list, err := capnp.ArrayConsolidationRequest(root).Fragments()
	fragments := p.at("fragments").texts(list, err)
	return c, fragments, p.err()
}

// DecodePlanSize reads the body of POST …/consolidate/plan: the size in bytes that fragments should have.
func DecodePlanSize(body []byte) (uint64, error) {
	root, err := openWhole(body)
	if err != nil {
		return 0, err
	}
	return capnp.ConsolidationPlanRequest(root).FragmentSize(), nil
}

// EncodePlan builds the answer of POST …/consolidate/plan: names of fragments, in groups that belong together.
func EncodePlan(groups [][]string) ([]byte, error) {
	return encode(func(e *encoder, seg *capnplib.Segment) {
		m, err := capnp.NewRootConsolidationPlanResponse(seg)
		if !e.ok(err) {
			return
		}
		lists, err := m.NewFragmentUrisPerNode(int32(len(groups)))
		if !e.ok(err) {
			return
		}
		for i, names := range groups {
			list, err := capnplib.NewTextList(seg, int32(len(names)))
			e.fillTexts(names, list, err)
			e.ok(lists.Set(i, list.ToPtr()))
		}
	})
}

// DecodeDeleteFragments reads the body of POST …/delete_fragments: the interval in milliseconds since 1970 that fragments
// must lie in to be deleted.
func DecodeDeleteFragments(body []byte) (start, end uint64, err error) {
	root, err := openWhole(body)
	if err != nil {
		return 0, 0, err
	}
	m := capnp.ArrayDeleteFragmentsTimestampsRequest(root)
	return m.StartTimestamp(), m.EndTimestamp(), nil
}

// DecodeDeleteFragmentsList reads the body of POST …/delete_fragments_list: the fragments to delete, by name or URI.
func DecodeDeleteFragmentsList(body []byte) ([]string, error) {
	root, err := openWhole(body)
	if err != nil {
		return nil, err
	}
	p := newPlace()
	list, err := capnp.ArrayDeleteFragmentsListRequest(root).Entries()
	v := p.at("entries").texts(list, err)
	if len(v) == 0 {
		p.at("entries").fail("none")
	}
	return v, p.err()
}

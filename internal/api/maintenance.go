package api

import (
	"errors"
	"math"
	"net/http"
	"strconv"

	"azulejo/array"
	"azulejo/consolidate"
	"azulejo/internal/access"
	"azulejo/internal/web"
	"azulejo/internal/wire"
)

// maintenanceOps are the rows of what keeps arrays in shape (spec page rest-wire.md, section 3).
func (a *API) maintenanceOps() []web.Operation {
	row := func(id, path string, action access.Action, do answer, request, reply wire.Kind) web.Operation {
		return web.Operation{ID: id, Method: http.MethodPost, Path: "/v1" + onArray + path, Action: action, Find: a.findArray,
			Handle: a.messages(form{request, reply}, do), MaxBody: min(a.limits.MessageBytes, wire.MaxQueryMessage)}
	}
	change := func(id, path string, action access.Action, do changer, request wire.Kind) web.Operation {
		op := row(id, path, action, nil, request, wire.NoMessage)
		op.Handle = a.changes(request, do)
		return op
	}
	return []web.Operation{
		change("consolidateArray", "/consolidate", access.ArrayWrite, repeatable(a.consolidate), wire.ConsolidateMessage),
		row("consolidationPlan", "/consolidate/plan", access.ArrayRead, a.consolidationPlan, wire.PlanSizeMessage, wire.PlanMessage),
		change("vacuumArray", "/vacuum", access.ArrayWrite, repeatable(a.vacuum), wire.VacuumMessage),
		change("deleteFragments", "/delete_fragments", access.ArrayDelete, repeatable(a.deleteFragments), wire.DeleteTimesMessage),
		change("deleteFragmentsList", "/delete_fragments_list", access.ArrayDelete, a.deleteFragmentsList, wire.DeleteListMessage),
	}
}

func (a *API) consolidate(r *web.Request, body []byte) error {
	config, names, err := wire.DecodeConsolidate(body)
	if err != nil {
		return err
	}
	mode, err := arrayMode(config, "sm.consolidation.mode")
	if err != nil {
		return err
	}
	o := consolidateOptions(config)
	if mode == consolidate.ModeFragments {
		o.Names = names
	}
	return a.vault.Consolidate(r.Context(), r.Grant, asset(r), mode, o)
}

func (a *API) vacuum(r *web.Request, body []byte) error {
	config, err := wire.DecodeConfigRequest(body)
	if err != nil {
		return err
	}
	mode, err := arrayMode(config, "sm.vacuum.mode")
	if err != nil {
		return err
	}
	return a.vault.Vacuum(r.Context(), r.Grant, asset(r), mode)
}

// arrayMode returns the mode that a setting names. Modes of groups work on nothing that an array has.
func arrayMode(c wire.Config, key string) (consolidate.Mode, error) {
	mode, err := consolidate.ParseMode(c.Text(key, consolidate.ModeFragments.String()))
	if err == nil && mode == consolidate.ModeGroupMeta {
		err = consolidate.ErrInvalid
	}
	return mode, err
}

// consolidateOptions are the client's settings of a consolidation. Its defaults are the greatest numbers there are, where
// the engine's is 0.
func consolidateOptions(c wire.Config) consolidate.Options {
	const prefix = "sm.consolidation."
	number := func(key string, most uint64) uint64 {
		n := c.Uint64(prefix+key, most)
		if n >= most {
			return 0
		}
		return n
	}
	return consolidate.Options{
		At:              array.Interval{Start: c.Uint64(prefix+"timestamp_start", 0), End: c.Uint64(prefix+"timestamp_end", array.Now)},
		Steps:           uint32(number("steps", math.MaxUint32)),
		MinFragments:    uint32(number("step_min_frags", math.MaxUint32)),
		MaxFragments:    uint32(number("step_max_frags", math.MaxUint32)),
		SizeRatio:       float32(float(c, prefix+"step_size_ratio")),
		Amplification:   float(c, prefix+"amplification"),
		MaxFragmentSize: number("max_fragment_size", math.MaxUint64),
		Purge:           c.Bool(prefix+"purge_deleted_cells", false),
	}
}

// float reads a setting that is a number, 0 when it is absent or none.
func float(c wire.Config, key string) float64 {
	f, err := strconv.ParseFloat(c.Text(key, ""), 64)
	if err != nil {
		return 0
	}
	return f
}

func (a *API) consolidationPlan(r *web.Request, body []byte) ([]byte, error) {
	size, err := wire.DecodePlanSize(body)
	if err != nil {
		return nil, err
	}
	groups, err := a.vault.Plan(r.Context(), r.Grant, asset(r), size)
	if err != nil {
		return nil, err
	}
	return wire.EncodePlan(groups)
}

func (a *API) deleteFragments(r *web.Request, body []byte) error {
	var at array.Interval
	var err error
	if at.Start, at.End, err = wire.DecodeDeleteFragments(body); err != nil {
		return err
	}
	return a.vault.DeleteFragments(r.Context(), r.Grant, asset(r), at, nil)
}

func (a *API) deleteFragmentsList(r *web.Request, body []byte, o once) error {
	names, err := wire.DecodeDeleteFragmentsList(body)
	if err != nil || o.Done {
		return err
	}
	if o.Again { // some of them may be gone already
		for _, name := range names {
			err := a.vault.DeleteFragments(r.Context(), r.Grant, asset(r), array.Interval{}, []string{name})
			if err != nil && !errors.Is(err, array.ErrInvalid) {
				return err
			}
		}
		return nil
	}
	return a.vault.DeleteFragments(r.Context(), r.Grant, asset(r), array.Interval{}, names)
}

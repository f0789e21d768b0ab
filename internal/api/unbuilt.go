package api

import (
	"net/http"

	"azulejo/internal/access"
	"azulejo/internal/web"
)

// unbuiltOps are operations that libtiledb asks for and that this server does not do yet. They go through the same checks
// as all others and then answer 501, which clients show and do not repeat.
func (a *API) unbuiltOps() []web.Operation {
	var ops []web.Operation
	for _, row := range []struct {
		id, method, path string
		action           access.Action
	}{
		{"consolidateArray", http.MethodPost, "/v1" + onArray + "/consolidate", access.ArrayWrite},
		{"consolidationPlan", http.MethodPost, "/v1" + onArray + "/consolidate/plan", access.ArrayRead},
		{"vacuumArray", http.MethodPost, "/v1" + onArray + "/vacuum", access.ArrayWrite},
		{"deleteFragments", http.MethodPost, "/v1" + onArray + "/delete_fragments", access.ArrayDelete},
		{"deleteFragmentsList", http.MethodPost, "/v1" + onArray + "/delete_fragments_list", access.ArrayDelete},
		{"queryPlanV2", http.MethodPost, "/v2" + onArray + "/query/plan", access.ArrayRead},
		{"queryPlanV3", http.MethodPost, "/v3" + onArray + "/query/plan", access.ArrayRead},
	} {
		ops = append(ops, web.Operation{ID: row.id, Method: row.method, Path: row.path, Action: row.action, Find: a.findArray, MaxBody: a.limits.MessageBytes})
	}
	return ops
}

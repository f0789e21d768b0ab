package api

import (
	"net/http"
	"strings"

	"azulejo/internal/access"
	"azulejo/internal/web"
)

// laterOps are the published operations that this server does not do yet. They go through all the checks, so that nobody
// learns more from them than from others, and answer 501.
func (a *API) laterOps() []web.Operation {
	var ops []web.Operation
	for _, row := range []struct {
		action access.Action
		calls  string
	}{
		{access.CodeRun, `POST /v1/udfs/generic/{namespace} submitGenericUDF
			POST /v1/udfs/arrays/{namespace} submitMultiArrayUDF
			POST /v1/sql/{namespace} runSQL
			POST /v1/taskgraphs/{namespace}/log createTaskGraphLog
			GET /v1/taskgraphs/{namespace}/logs/{id} getTaskGraphLog
			PATCH /v1/taskgraphs/{namespace}/logs/{id} updateTaskGraphLog
			POST /v1/taskgraphs/{namespace}/logs/{id}/report_client_node reportClientNode
			POST /v1/taskgraphs/{namespace}/executions/{id}/resubmit resubmitTaskGraphExecution
			POST /v1/taskgraphs/{namespace}/executions/{id}/retry retryTaskGraphExecution
			POST /v1/taskgraphs/{namespace}/executions/{id}/stop stopTaskGraphExecution
			GET /v1/taskgraphs/{namespace}/graphs listTaskGraphs
			POST /v1/taskgraphs/{namespace}/graphs createTaskGraph
			GET /v1/taskgraphs/{namespace}/graphs/{id} getTaskGraph
			PATCH /v1/taskgraphs/{namespace}/graphs/{id} updateTaskGraph
			POST /v1/taskgraphs/{namespace}/graphs/{id}/submit submitTaskGraph
			GET /v1/notebooks/server/{namespace}/status getNotebookServerStatus
			DELETE /v1/notebooks/server/{namespace} shutdownNotebookServer`},
		{access.PaymentShare, `POST /v1/invitations/share_payment/{namespace} sharePayment
			DELETE /v1/invitations/share_payment/{namespace}/{target} cancelSharePayment`},
		{access.TasksRead, `GET /v1/tasks listTasks
			GET /v1/tasks/sidebar getArrayTasksSidebar
			GET /v1/task/{id} getTask
			GET /v1/task/{id}/result getTaskResult
			GET /v1/taskgraphs/logs listTaskGraphLogs`},
		{access.OrganizationWrite, `POST /v1/organizations/{namespace}/sso_domain createSSODomain
			GET /v1/organizations/{namespace}/sso_domains getSSODomains
			GET /v1/organizations/{namespace}/sso_domains/{uuid} getSSODomain
			PATCH /v1/organizations/{namespace}/sso_domains/{uuid} updateSSODomain
			DELETE /v1/organizations/{namespace}/sso_domains/{uuid} deleteSSODomain
			POST /v1/organizations/{namespace}/sso_domains/{uuid}/run_check checkSSODomain`},
	} {
		for line := range strings.Lines(row.calls) {
			f := strings.Fields(line)
			op := web.Operation{ID: f[2], Method: f[0], Path: f[1], Action: row.action}
			switch row.action {
			case access.CodeRun, access.PaymentShare:
				op.Find = a.findNamespace
			case access.OrganizationWrite:
				op.Find = a.findOrganization
			}
			ops = append(ops, op)
		}
	}
	run := web.Operation{ID: "submitUDF", Method: http.MethodPost, Path: "/v1" + onArray + "/udf/submit", Action: access.ArrayRead, Find: a.findArray}
	return append(ops, run)
}

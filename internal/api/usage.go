package api

import (
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"azulejo/internal/access"
	"azulejo/internal/account"
	"azulejo/internal/catalog"
	"azulejo/internal/usage"
	"azulejo/internal/web"
)

// usageOps are the rows of what was done at whose cost, and of what may be (decision 148). None of them is published.
func (a *API) usageOps() []web.Operation {
	of := func(id, path string, handle web.Handler) web.Operation {
		return web.Operation{ID: id, Method: http.MethodGet, Path: path, Action: access.UsageRead, Find: a.findNamespace, Handle: handle}
	}
	quota := func(id, method string, handle web.Handler) web.Operation {
		return web.Operation{ID: id, Method: method, Path: "/v1/admin/quotas/{namespace}", Action: access.UsersAdmin, Handle: handle}
	}
	return []web.Operation{
		of("getUsage", "/v1/usage/{namespace}", a.namespaceUsage), of("getQuota", "/v1/usage/{namespace}/quota", a.getQuota),
		{ID: "getArrayUsage", Method: http.MethodGet, Path: "/v1" + onArray + "/usage", Action: access.ArrayLogs, Find: a.findArray, Handle: a.assetUsage},
		{ID: "getGroupUsage", Method: http.MethodGet, Path: "/v1" + ofGroup + "/usage", Action: access.GroupLogs, Find: a.findGroup, Handle: a.assetUsage},
		quota("getNamespaceQuota", http.MethodGet, a.getQuota), quota("setNamespaceQuota", http.MethodPut, a.setQuota),
	}
}

// metered are the actions that a spent quota keeps from being done: those that move data or make some. What is left lets people see what they
// have used, end what they share, and remove what they keep.
var metered = []access.Action{access.ArrayCreate, access.ArrayRead, access.ArrayWrite, access.ArraySchema, access.GroupCreate, access.GroupRead, access.GroupWrite,
	access.FileRead, access.FileWrite, access.CodeRun}

// payerHeader names the namespace that is to pay for a call.
const payerHeader = "X-Payer"

// Admit finds out who pays for a call, the caller's own namespace unless he names another one in which he may run things, and refuses it when that
// has spent its quota. It is for web.Options.
func (a *API) Admit(r *web.Request) error {
	if r.Op.Page || r.Subject.UserID == "" || a.usage == nil {
		return nil
	}
	r.Payer = r.Subject.NamespaceID
	name := r.Subject.Namespace
	if r.Subject.Service && len(r.Subject.Memberships) > 0 { // a program works at its organization's cost
		r.Payer, name = r.Subject.Memberships[0].NamespaceID, r.Subject.Memberships[0].Name
	}
	if wanted := r.Header.Get(payerHeader); wanted != "" && !strings.EqualFold(wanted, name) {
		n, err := a.accounts.Namespace(r.Context(), wanted)
		if err != nil && !errors.Is(err, account.ErrNotFound) {
			return err
		}
		if err != nil || !access.RightsOn(r.Subject, access.Object{Kind: access.Namespace, ID: n.ID, NamespaceID: n.ID}).Has(access.CanRun) {
			return fmt.Errorf("%w: the header %s names %q, which is no namespace that you may charge", access.ErrDenied, payerHeader, wanted)
		}
		r.Payer, name = n.ID, n.Name
	}
	if !slices.Contains(metered, r.Action) {
		return nil
	}
	return a.usage.Check(r.Context(), r.Payer, name)
}

// count counts a call that was done.
func (a *API) count(r *web.Request, sent, received int64) {
	if r.Payer == "" {
		return
	}
	of := usage.Account{PayerID: r.Payer, UserID: r.Subject.UserID}
	if x, ok := r.Found.(catalog.Asset); ok {
		of.AssetID = x.ID
	}
	a.usage.Add(of, usage.Counts{Requests: 1, Sent: sent, Received: received})
}

// usageRecord is one sum as replies have it.
type usageRecord struct {
	Day         string  `json:"day"`
	ID          string  `json:"id,omitempty"`
	Name        string  `json:"name,omitempty"`
	Requests    int64   `json:"requests"`
	Sent        int64   `json:"bytes_sent"`
	Received    int64   `json:"bytes_received"`
	TaskSeconds float64 `json:"task_seconds"`
}

const (
	// usageDays is how many days a report has that names none, mostUsage how many records it has at most.
	usageDays, mostUsage = 31, 100_000
	dayForm              = "2006-01-02"
)

func (a *API) namespaceUsage(w http.ResponseWriter, r *web.Request) error {
	return a.sendUsage(w, r, usage.Filter{PayerID: r.Object.ID}, usage.ByDay, usage.ByUser, usage.ByAsset)
}

// assetUsage tells how an asset was used, whoever paid.
func (a *API) assetUsage(w http.ResponseWriter, r *web.Request) error {
	return a.sendUsage(w, r, usage.Filter{AssetID: asset(r).ID}, usage.ByDay, usage.ByUser, usage.ByPayer)
}

// sendUsage answers a report, as JSON or as a table.
func (a *API) sendUsage(w http.ResponseWriter, r *web.Request, f usage.Filter, by ...usage.By) error {
	f.Most, f.By = mostUsage, usage.ByDay
	today := a.tokens.Now().UTC().Truncate(24 * time.Hour)
	f.From, f.To = today.AddDate(0, 0, 1-usageDays), today
	for name, at := range map[string]*time.Time{"from": &f.From, "to": &f.To} {
		text := r.Query().Get(name)
		if text == "" {
			continue
		}
		t, err := time.Parse(dayForm, text)
		if err != nil {
			return fmt.Errorf("%w: %s=%q is not a day such as 2027-01-31", web.ErrBadRequest, name, text)
		}
		*at = t
	}
	if text := r.Query().Get("by"); text != "" {
		if f.By = usage.By(text); !slices.Contains(by, f.By) {
			return fmt.Errorf("%w: by=%q is none of %v", web.ErrBadRequest, text, by)
		}
	}
	list, err := a.usage.Report(r.Context(), f)
	if err != nil {
		return err
	}
	if strings.Contains(r.Header.Get("Accept"), "text/csv") {
		return sendUsageTable(w, list)
	}
	out := mapped(list, func(x usage.Record) usageRecord {
		return usageRecord{x.Day.Format(dayForm), x.ID, x.Name, x.Requests, x.Sent, x.Received, float64(x.TaskMillis) / 1000}
	})
	return web.JSON(w, r, http.StatusOK, map[string]any{"usage": out})
}

func sendUsageTable(w http.ResponseWriter, list []usage.Record) error {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="usage.csv"`)
	out := csv.NewWriter(w)
	rows := [][]string{{"day", "id", "name", "requests", "bytes_sent", "bytes_received", "task_seconds"}}
	for _, x := range list {
		rows = append(rows, []string{x.Day.Format(dayForm), x.ID, cell(x.Name), strconv.FormatInt(x.Requests, 10), strconv.FormatInt(x.Sent, 10),
			strconv.FormatInt(x.Received, 10), strconv.FormatFloat(float64(x.TaskMillis)/1000, 'f', -1, 64)})
	}
	if err := out.WriteAll(rows); err != nil {
		return fmt.Errorf("usage: %w", err)
	}
	return nil
}

// limits are what a namespace may spend in a month as replies and requests have it; null is any number.
type limits struct {
	Requests    *int64   `json:"requests"`
	Sent        *int64   `json:"bytes_sent"`
	Received    *int64   `json:"bytes_received"`
	TaskSeconds *float64 `json:"task_seconds"`
}

// getQuota answers what the namespace of the address may spend this month, and what it has.
func (a *API) getQuota(w http.ResponseWriter, r *web.Request) error {
	n, err := a.accounts.Namespace(r.Context(), r.Param("namespace"))
	if err != nil {
		return err
	}
	q, ok, err := a.usage.QuotaOf(r.Context(), n.ID)
	if err != nil {
		return err
	}
	limit := usage.Counts{Requests: usage.AnyNumber, Sent: usage.AnyNumber, Received: usage.AnyNumber, TaskMillis: usage.AnyNumber}
	if ok {
		limit = q.Limit
	} else {
		today := a.tokens.Now().UTC().Truncate(24 * time.Hour)
		days, err := a.usage.Report(r.Context(), usage.Filter{PayerID: n.ID, From: today.AddDate(0, 0, 1-today.Day()), To: today, Most: usageDays})
		if err != nil {
			return err
		}
		for _, d := range days {
			q.Spent = q.Spent.Plus(d.Counts)
		}
	}
	number := func(n int64) *int64 {
		if n == usage.AnyNumber {
			return nil
		}
		return &n
	}
	out := limits{Requests: number(limit.Requests), Sent: number(limit.Sent), Received: number(limit.Received)}
	if ms := number(limit.TaskMillis); ms != nil {
		s := float64(*ms) / 1000
		out.TaskSeconds = &s
	}
	spent := map[string]any{"requests": q.Spent.Requests, "bytes_sent": q.Spent.Sent, "bytes_received": q.Spent.Received, "task_seconds": float64(q.Spent.TaskMillis) / 1000}
	return web.JSON(w, r, http.StatusOK, map[string]any{"namespace": n.Name, "limits": out, "spent": spent})
}

// setQuota sets what the namespace of the address may spend in a month; what is absent or null is any number.
func (a *API) setQuota(w http.ResponseWriter, r *web.Request) error {
	var want limits
	if err := r.DecodeJSON(&want); err != nil {
		return err
	}
	n, err := a.accounts.Namespace(r.Context(), r.Param("namespace"))
	if err != nil {
		return err
	}
	c := usage.Counts{Requests: usage.AnyNumber, Sent: usage.AnyNumber, Received: usage.AnyNumber, TaskMillis: usage.AnyNumber}
	for _, x := range []struct {
		from *int64
		to   *int64
	}{{want.Requests, &c.Requests}, {want.Sent, &c.Sent}, {want.Received, &c.Received}} {
		if x.from != nil {
			*x.to = *x.from
		}
		if x.from != nil && *x.from < 0 {
			return fmt.Errorf("%w: a limit is 0 or more, or null for any number", web.ErrBadRequest)
		}
	}
	if want.TaskSeconds != nil {
		if s := *want.TaskSeconds; s < 0 || s > 1e12 {
			return fmt.Errorf("%w: task_seconds is between 0 and 10^12, or null for any number", web.ErrBadRequest)
		}
		c.TaskMillis = int64(*want.TaskSeconds * 1000)
	}
	return noContent(w, a.usage.SetQuota(r.Context(), n.ID, c))
}

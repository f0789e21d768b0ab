package api

import (
	"encoding/json"
	"strings"
	"testing"

	"azulejo/internal/access"
	"azulejo/internal/activity"
)

// TestServiceAccounts makes a program of an organization, lets it work there and nowhere else, and ends it with the
// organization.
func TestServiceAccounts(t *testing.T) {
	w := newWorld(t)
	const at = "/v1/organizations/lab/service_accounts"
	w.send(w.Full, post, "/v1/organization", `{"name":"lab"}`, 204, "")
	w.send(w.Full, post, "/v1/organization", `{"name":"other"}`, 204, "")
	w.send(w.Other, get, at, "", 404, "")
	w.send(w.Full, post, "/v1/organizations/lab/user", `{"username":"bob","role":"read_write"}`, 204, "")
	w.send(w.Other, post, at, `{"name":"robot","role":"read_only"}`, 403, "")
	w.send(w.Full, post, at, `{"name":"robot","role":"owner"}`, 400, "no role of a service account")
	w.send(w.Full, post, at, `{"name":"BOB","role":"read_only"}`, 409, "")
	w.send(w.Full, post, at, `{"name":"robot","role":"read_write","description":"CI"}`, 201, `"description":"CI"`)
	w.send(w.Full, post, at, `{"name":"Robot","role":"read_only"}`, 409, "")
	w.send(w.Full, get, at, "", 200, `"role":"read_write"`)
	w.send(w.Full, get, at+"/nobody", "", 404, "no such service account")
	w.send(w.Full, get, "/v1/organizations/other/service_accounts/robot", "", 404, "")
	w.send(w.Full, post, "/v1/organizations/other/user", `{"username":"robot","role":"read_only"}`, 400, "service account")
	if members := w.send(w.Full, get, "/v1/organizations/lab", "", 200, `"username":"bob"`); strings.Contains(members, "robot") {
		t.Errorf("among the people: %s", members)
	}
	w.send(w.Full, del, "/v1/organizations/lab/robot", "", 404, "")

	made := func(body string, status int, part string) string {
		t.Helper()
		var info tokenInfo
		if text := w.send(w.Full, post, at+"/robot/tokens", body, status, part); status == 200 {
			must(t, json.Unmarshal([]byte(text), &info))
		}
		return info.Token
	}
	made(`{"scope":["user:admin"]}`, 403, "")
	made(`{"scope":["*"]}`, 403, "")
	secret := made(`{"name":"ci"}`, 200, `"scope":["user:read-write","array:admin","organization:read","group:admin"]`)
	w.send(w.Full, get, at+"/robot/tokens", "", 200, `"name":"ci"`)
	w.send(secret, get, "/v1/user", "", 200, `"username":"robot"`)
	body := string(schemaBody(t, lineSchema()))
	w.send(secret, post, "/v1/arrays/lab/a", body, 204, "")
	w.send(secret, get, "/v1/arrays/lab/a", "", 200, "")
	w.send(secret, del, "/v1/arrays/lab/a", "", 403, "") // its role does not delete
	for _, path := range []string{"/v1/arrays/robot/a", "/v1/arrays/ann/a", "/v1/arrays/other/a"} {
		w.want(secret, post, path, []byte(body), 404, "")
	}
	// What is shared to it by itself does not reach it: its role is all that it has.
	w.send(w.Full, post, "/v1/arrays/ann/b", body, 204, "")
	w.send(w.Full, patch, "/v1/arrays/ann/b/share", `{"namespace":"robot","actions":["read"]}`, 204, "")
	w.send(secret, get, "/v1/arrays/ann/b", "", 404, "")
	for _, call := range []struct{ method, path, body string }{
		{post, "/v1/token", "{}"}, {get, "/v1/session", ""}, {post, "/v1/organization", `{"name":"mine"}`}, {post, "/v1/user/second_factor", ""},
		{patch, "/v1/users/robot", `{"password":"a long password"}`}, {patch, "/v1/users/robot", `{"email":"robot@example.org"}`}, {del, "/v1/users/robot", ""},
		{get, at, ""},
	} {
		w.send(secret, call.method, call.path, call.body, 403, "")
	}
	if _, err := w.Accounts.Verify(t.Context(), "robot", ""); err == nil {
		t.Error("it signed in without a password")
	}
	w.send(w.Full, patch, at+"/robot", `{"role":"read_write_delete"}`, 204, "")
	w.send(secret, del, "/v1/arrays/lab/a", "", 204, "")
	w.send(w.Full, patch, at+"/robot", `{"disabled":true}`, 204, "")
	w.send(secret, get, "/v1/user", "", 401, "disabled")
	w.send(w.Full, patch, at+"/robot", `{"disabled":false,"role":"owner"}`, 400, "")
	w.send(w.Full, patch, at+"/robot", `{"disabled":false}`, 204, "")
	w.send(secret, get, "/v1/user", "", 200, "")
	w.send(w.Full, del, at+"/robot/tokens/ci", "", 204, "")
	w.send(secret, get, "/v1/user", "", 401, "revoked")

	secret = made(`{}`, 200, "")
	w.send(w.Full, post, at, `{"name":"second"}`, 201, `"role":"read_only"`)
	w.send(w.Full, del, at+"/second", "", 204, "")
	w.send(w.Full, del, "/v1/organizations/lab", "", 204, "")
	w.send(secret, get, "/v1/user", "", 401, "")
	w.send(w.Full, post, "/v1/organization", `{"name":"robot"}`, 204, "") // the name is free again

	var said []string
	list, err := activity.Find(t.Context(), w.DB.Read(), activity.Filter{UserID: w.Ann.UserID}, 100)
	must(t, err)
	for _, e := range list {
		if strings.HasPrefix(string(e.Event), "service-") {
			said = append(said, string(e.Event)+" "+e.Detail)
		}
	}
	all := strings.Join(said, "\n")
	for _, want := range []string{"service-account-created robot as read_write", "service-account-token robot", "service-account-changed robot as read_write_delete, disabled",
		"service-account-deleted second"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not in the audit log:\n%s", want, all)
		}
	}
}

// TestServiceSubject shows that nothing is a service account's own, whatever it is asked for.
func TestServiceSubject(t *testing.T) {
	s := access.Subject{Kind: access.APIToken, UserID: "u", NamespaceID: "n", Scopes: access.Scopes{access.ScopeAll}, Service: true,
		Memberships: []access.Membership{{NamespaceID: "org", Role: access.RoleReadWrite}}}
	for id, want := range map[string]access.Rights{"n": 0, "elsewhere": 0, "org": access.RoleReadWrite.Rights()} {
		if got := access.RightsOn(s, access.Object{Kind: access.Namespace, ID: id, NamespaceID: id}); got != want {
			t.Errorf("in %s: %b", id, got)
		}
	}
}

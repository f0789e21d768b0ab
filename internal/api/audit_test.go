package api

import (
	"strings"
	"testing"

	"azulejo/internal/activity"
)

// TestAuditedChanges looks for a line of the audit log for each change of who may do what.
func TestAuditedChanges(t *testing.T) {
	w := newWorld(t)
	w.send(w.Full, post, "/v1/organization", `{"name":"lab"}`, 204, "")
	w.send(w.Full, post, "/v1/organizations/lab/user", `{"username":"bob","role":"read_only"}`, 204, "")
	w.send(w.Full, patch, "/v1/organizations/lab/bob", `{"role":"read_write"}`, 204, "")
	w.send(w.Full, del, "/v1/organizations/lab/bob", "", 204, "")
	w.send(w.Full, post, "/v1/invitations/lab/join", `{"invitee_email_or_name":["bob"]}`, 204, "")
	id := w.invitation(w.Other, "").ID
	w.send(w.Other, post, "/v1/invitations/"+id, "", 204, "")
	w.send(w.Full, post, "/v1/invitations/lab/join", `{"invitee_email":["eve@example.org"]}`, 204, "")
	w.send(w.Full, del, "/v1/invitations/"+w.invitation(w.Full, "?status=PENDING").ID+"/lab/join", "", 204, "")
	const key = `"credential":{"aws":{"access_key_id":"AKIA","secret_access_key":"very secret key"}}`
	w.send(w.Full, post, "/v2/credentials/ann", `{"name":"store",`+key+`}`, 204, "")
	w.send(w.Full, patch, "/v2/credentials/ann/store", `{"provider_default":true}`, 204, "")
	w.send(w.Full, del, "/v2/credentials/ann/store", "", 204, "")
	w.send(w.Full, del, "/v1/organizations/lab", "", 204, "")

	list, err := activity.Find(t.Context(), w.DB.Read(), activity.Filter{}, 1000)
	must(t, err)
	found := map[activity.Event]activity.Entry{}
	for _, e := range list {
		found[e.Event] = e
		if strings.Contains(e.Detail, "very secret") {
			t.Errorf("%+v tells a secret", e)
		}
	}
	for _, event := range []activity.Event{activity.OrganizationCreated, activity.MemberAdded, activity.MemberChanged, activity.MemberRemoved, activity.Invited,
		activity.InvitationCancelled, activity.CredentialAdded, activity.CredentialChanged, activity.CredentialRemoved, activity.OrganizationDeleted} {
		e, ok := found[event]
		if !ok || e.UserID != w.Ann.UserID || e.TokenID == "" || e.Origin.Address == "" || e.Origin.RequestID == "" || e.Detail == "" {
			t.Errorf("%s: %v, %+v", event, ok, e)
		}
	}
	if e := found[activity.InvitationAccepted]; e.UserID == w.Ann.UserID || e.Detail != id {
		t.Errorf("accepted: %+v", e)
	}
}

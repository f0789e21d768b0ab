package api

import (
	"strings"
	"testing"

	"azulejo/internal/oracle/servertest"
)

// TestMailOverAPI confirms an address, accepts an invitation to it, and resets a password, all over the API.
func TestMailOverAPI(t *testing.T) {
	w := newWorld(t)
	w.send(w.Full, patch, "/v1/users/ann", `{"email":"no address"}`, 400, "no mail address")
	// Whoever can change the address can have the password reset: it takes as much.
	w.send(w.Token(t, "user:read-write"), patch, "/v1/users/ann", `{"email":"eve@example.org"}`, 403, "")
	w.send(w.Token(t, "user:read-write"), patch, "/v1/users/ann", `{"company":"Tiles"}`, 204, "")
	w.send(w.Other, patch, "/v1/users/bob", `{"email":"bob@example.org"}`, 204, "")
	confirm := "azj_s_" + servertest.Link(t, w.Deliver(t)[0], "/confirm/azj_s_")

	w.send(w.Full, post, "/v1/organization", `{"name":"lab"}`, 204, "")
	w.send(w.Full, post, "/v1/invitations/lab/join", `{"invitee_email":["bob@example.org"],"organization_role":"read_only"}`, 204, "")
	mails := w.Deliver(t)
	if len(mails) != 1 || !strings.Contains(mails[0].Text, "invites you into the organization lab") {
		t.Fatalf("mails %+v", mails)
	}
	id := w.invitation(w.Full, "").ID
	w.send(w.Other, post, "/v1/invitations/"+id, "", 404, "")
	w.send(confirm, post, "/v1/user/confirm_email", "", 204, "")
	w.send(confirm, post, "/v1/user/confirm_email", "", 401, "")
	w.send(w.Other, post, "/v1/invitations/"+id, "", 204, "")
	w.send(w.Other, get, "/v1/organizations/lab", "", 200, `"role":"read_only"`)
	w.send(w.Other, post, "/v1/user/confirm_email/mail", "", 202, "")
	w.send(w.Full, post, "/v1/user/confirm_email/mail", "", 400, "no such mail address")

	known := w.send("", post, "/v1/user/password_reset/mail", `{"email":"bob@example.org"}`, 202, "")
	if unknown := w.send("", post, "/v1/user/password_reset/mail", `{"email":"nobody@example.org"}`, 202, ""); unknown != known {
		t.Errorf("answers %q and %q", known, unknown)
	}
	w.send("", post, "/v1/user/password_reset/mail", `{"email":"nobody"}`, 400, "no mail address")
	reset := "azj_s_" + servertest.Link(t, w.Deliver(t)[0], "/reset/azj_s_")
	w.send(reset, get, "/v1/user", "", 403, "")
	w.send(reset, post, "/v1/user/password_reset", `{"password":"a new password of bob"}`, 204, "")
	w.send(reset, post, "/v1/user/password_reset", `{"password":"a new password of bob"}`, 401, "")
	if _, err := w.Accounts.Verify(t.Context(), "bob", "a new password of bob"); err != nil {
		t.Error(err)
	}
	w.send(w.Full, post, "/v1/admin/users/bob/link", `{"for":"password_reset"}`, 403, "") // ann is no administrator of the server
}

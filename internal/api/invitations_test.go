package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"azulejo/internal/account"
)

// confirmed gives a user a mail address that counts as its own.
func (w *world) confirmed(name, address string) {
	w.t.Helper()
	u, err := w.Accounts.ByName(w.t.Context(), name)
	must(w.t, err)
	must(w.t, w.Accounts.UpdateProfile(w.t.Context(), u.ID, account.ProfilePatch{Email: &address}))
	must(w.t, w.Accounts.ConfirmEmail(w.t.Context(), u.ID, address))
}

// invitations lists what somebody sees.
func (w *world) invitations(secret, query string) []invitationInfo {
	w.t.Helper()
	var page struct {
		Invitations []invitationInfo `json:"invitations"`
	}
	must(w.t, json.Unmarshal([]byte(w.send(secret, get, "/v1/invitations"+query, "", 200, "pagination_metadata")), &page))
	return page.Invitations
}

// invitation is the one invitation that somebody sees.
func (w *world) invitation(secret, query string) invitationInfo {
	w.t.Helper()
	list := w.invitations(secret, query)
	if len(list) != 1 {
		w.t.Fatalf("%d invitations%s, want 1", len(list), query)
	}
	return list[0]
}

func TestInvitationToArray(t *testing.T) {
	w := newWorld(t)
	eve := w.person("eve")
	w.send(w.Full, post, "/v1/arrays/ann/x", string(schemaBody(t, lineSchema())), 204, "")
	const share = "/v1/invitations/ann/x/share"
	w.send(eve, post, share, `{"actions":["read"],"invitee_email":["bob"]}`, 404, "")
	w.send(w.Full, post, share, `{"actions":["fly"],"invitee_email":["bob"]}`, 400, "unknown action")
	w.send(w.Full, post, share, `{"actions":[],"invitee_email":["bob"]}`, 400, "at least one action")
	w.send(w.Full, post, share, `{"actions":["read"],"invitee_email":[]}`, 400, "recipients")
	w.send(w.Full, post, share, `{"actions":["read"],"invitee_email":["nobody","ann","public","a@b@c"]}`, 400, "nobody was invited")
	w.send(w.Full, post, share, `{"actions":["read"],"invitee_email":["`+strings.Repeat(`bob","`, 100)+`bob"]}`, 400, "100")
	w.send(w.Token(t, "array:read-write"), post, share, `{"actions":["read"],"invitee_email":["bob"]}`, 403, "array:admin")
	w.send(w.Full, post, share, `{"actions":["read","write"],"invitee_email":["bob","nobody"]}`, 207, `{"failed_recipients":["nobody"]}`)
	if n := len(w.invitations(eve, "")); n != 0 {
		t.Errorf("a stranger sees %d invitations", n)
	}
	i := w.invitation(w.Other, "?status=PENDING&type=array_share&array=x&orderby=timestamp")
	if i.Type != "ARRAY_SHARE" || i.Status != "PENDING" || i.Actions != "read,write" || i.ArrayName != "x" || i.Owner != "ann" || i.Invited != "bob" {
		t.Errorf("invitation %+v", i)
	}
	w.send(w.Other, get, "/v1/arrays/ann/x", "", 404, "") // it gives nothing by itself
	accept := "/v1/invitations/" + i.ID
	w.send(eve, post, accept, "", 404, "")
	w.send(w.Full, post, accept, "", 404, "")
	w.send("", post, accept, "", 401, "")
	w.send(w.Other, post, "/v1/invitations/00000000-0000-4000-8000-000000000000", "", 404, "")
	w.send(w.Full, patch, "/v1/arrays/ann/x/share", `{"namespace":"bob","actions":["read_array_logs"]}`, 204, "")
	w.send(w.Other, post, accept, "", 204, "")
	w.send(w.Other, get, "/v1/arrays/ann/x/metadata", "", 200, `["read","write","read_array_logs",`) // beside what he had
	w.send(w.Other, post, accept, "", 410, "")
	w.send(w.Full, del, accept+"/ann/x/share", "", 404, "") // accepted ones stay
	if i := w.invitation(w.Other, "?status=ACCEPTED"); i.AcceptedAt == nil {
		t.Errorf("accepted: %+v", i)
	}
	w.send(w.Full, get, "/v1/invitations?status=maybe", "", 400, "PENDING")
	w.send(w.Full, get, "/v1/invitations?start=x", "", 400, "")
	for query, want := range map[string]int{"?array=ann/x": 1, "?array=y": 0, "?group=x": 0, "?organization=x": 0, "?status=PENDING": 0, "?start=1": 1, "?end=1": 0} {
		if n := len(w.invitations(w.Full, query)); n != want {
			t.Errorf("%s lists %d, want %d", query, n, want)
		}
	}
	w.send(w.Full, get, "/v1/invitations?page=2", "", 200, `"invitations":[],"pagination_metadata":{"page":2,"per_page":10,"total_pages":1,"total_items":1}`)
}

// An invitation gives what its maker may give when it is accepted, not what he could once.
func TestInvitationsEndWithTheirMakersRights(t *testing.T) {
	w := newWorld(t)
	eve := w.person("eve")
	w.send(w.Full, post, "/v1/arrays/ann/x", string(schemaBody(t, lineSchema())), 204, "")
	share := func(actions string) {
		t.Helper()
		w.send(w.Full, patch, "/v1/arrays/ann/x/share", `{"namespace":"bob","actions":[`+actions+`]}`, 204, "")
	}
	share(`"read","edit"`)
	const path = "/v1/invitations/ann/x/share"
	w.send(w.Other, post, path, `{"actions":["write"],"invitee_email":["eve"]}`, 403, "yourself")
	share(`"read","write","edit"`)
	w.send(w.Other, post, path, `{"actions":["read","write"],"invitee_email":["eve"]}`, 204, "")
	w.send(w.Other, post, path, `{"actions":["read","write"],"invitee_email":["eve"]}`, 204, "")
	i := w.invitation(eve, "") // the second replaced the first
	share(`"read","edit"`)
	w.send(eve, post, "/v1/invitations/"+i.ID, "", 403, "any more")
	share(`"read","write"`)
	w.send(eve, post, "/v1/invitations/"+i.ID, "", 403, "any more")
	share(``)
	w.send(eve, post, "/v1/invitations/"+i.ID, "", 403, "any more")
	w.send(eve, get, "/v1/arrays/ann/x", "", 404, "")
	share(`"read","write","edit"`)
	bob, err := w.Accounts.ByName(t.Context(), "bob")
	must(t, err)
	must(t, w.Accounts.SetDisabled(t.Context(), bob.ID, true))
	w.send(eve, post, "/v1/invitations/"+i.ID, "", 403, "any more")
	must(t, w.Accounts.SetDisabled(t.Context(), bob.ID, false))
	w.send(eve, post, "/v1/invitations/"+i.ID, "", 204, "") // it opened again each time
	w.send(eve, get, "/v1/arrays/ann/x", "", 200, "")

	// Taken back by the owner, by its maker, by the invited; by nobody else, and only by its own address.
	mallory := w.person("mallory")
	for _, by := range []string{w.Full, w.Other, mallory} {
		w.send(w.Other, post, path, `{"actions":["read"],"invitee_email":["mallory"]}`, 204, "")
		i := w.invitation(mallory, "")
		w.send(eve, del, "/v1/invitations/"+i.ID+"/ann/x/share", "", 404, "")
		w.send(by, del, "/v1/invitations/"+i.ID+"/ann/y/share", "", 404, "")
		w.send(by, del, "/v1/invitations/"+i.ID+"/ann/join", "", 404, "")
		w.send(by, del, "/v1/invitations/"+i.ID+"/ann/x/share", "", 204, "")
		w.send(by, del, "/v1/invitations/"+i.ID+"/ann/x/share", "", 404, "")
		w.send(mallory, post, "/v1/invitations/"+i.ID, "", 404, "")
	}
	w.send(w.Other, post, path, `{"actions":["read"],"invitee_email":["mallory"]}`, 204, "")
	w.send(w.Full, del, "/v1/arrays/ann/x", "", 204, "")
	if n := len(w.invitations(mallory, "")); n != 0 {
		t.Errorf("%d invitations outlive their array", n)
	}
}

// A mail address is invited whether it is anybody's or not, and only who showed that it is his own finds the invitation.
func TestInvitationByMail(t *testing.T) {
	w := newWorld(t)
	w.send(w.Full, post, "/v1/arrays/ann/x", string(schemaBody(t, lineSchema())), 204, "")
	w.send(w.Full, post, "/v1/invitations/ann/x/share", `{"actions":["read"],"invitee_email":["Dan@Example.org"]}`, 204, "")
	dan := w.person("dan")
	w.send(dan, patch, "/v1/users/dan", `{"email":"dan@example.org"}`, 204, "")
	if n := len(w.invitations(dan, "")); n != 0 {
		t.Errorf("an address that is not confirmed shows %d invitations", n)
	}
	id := w.invitation(w.Full, "").ID
	w.send(dan, post, "/v1/invitations/"+id, "", 404, "")
	w.confirmed("dan", "dan@example.org")
	if i := w.invitation(dan, ""); i.ID != id || i.Email != "Dan@Example.org" || i.Invited != "" {
		t.Errorf("invitation %+v", i)
	}
	w.send(dan, patch, "/v1/users/dan", `{"email":"other@example.org"}`, 204, "")
	w.send(dan, post, "/v1/invitations/"+id, "", 404, "")
	w.confirmed("dan", "dan@example.org")
	w.send(dan, post, "/v1/invitations/"+id, "", 204, "")
	w.send(dan, get, "/v1/arrays/ann/x", "", 200, "")
}

func TestInvitationToGroupAndOrganization(t *testing.T) {
	w := newWorld(t)
	eve := w.person("eve")
	w.send2(w.Full, post, "/v2/groups/ann", `{"group_details":{"name":"g"}}`, 201, "")
	const ofGroup = "/v1/invitations/group/ann/g/share"
	w.send(w.Other, post, ofGroup, `{"group_actions":["read"],"array_actions":[],"invitee_email_or_name":["eve"]}`, 404, "")
	w.send(w.Full, post, ofGroup, `{"group_actions":["read"],"array_actions":["read"],"invitee_email_or_name":["bob"]}`, 204, "")
	i := w.invitation(w.Other, "?group=g")
	if i.GroupActions != "read" || i.Actions != "read" || i.GroupName != "g" {
		t.Errorf("invitation %+v", i)
	}
	w.send(w.Other, del, fmt.Sprintf("/v1/invitations/%s/ann/g/share", i.ID), "", 404, "")
	w.send(w.Other, post, "/v1/invitations/"+i.ID, "", 204, "")
	w.send(w.Other, get, "/v1/groups/ann/g", "", 200, "")
	w.send(w.Full, post, ofGroup, `{"group_actions":["read"],"array_actions":[],"invitee_email_or_name":["eve"]}`, 204, "")
	w.send(eve, del, "/v1/invitations/group/"+w.invitation(eve, "").ID+"/ann/g/share", "", 204, "")

	w.send(w.Full, post, "/v1/organization", `{"name":"Lab"}`, 204, "")
	const join = "/v1/invitations/lab/join"
	w.send(w.Other, post, join, `{"organization_role":"read_only","invitee_email":["eve"]}`, 404, "")
	w.send(w.Full, post, join, `{"organization_role":"king","invitee_email":["bob"]}`, 400, "read_write_delete")
	w.send(w.Full, post, join, `{"organization_role":"admin","invitee_email":["bob","ann","Lab"]}`, 207, `["ann","Lab"]`)
	i = w.invitation(w.Other, "?type=JOIN_ORGANIZATION&organization=LAB")
	if i.Role != "admin" || i.Organization != "Lab" || !strings.Contains(i.Actions, "edit_organization") {
		t.Errorf("invitation %+v", i)
	}
	w.send(w.Other, get, "/v1/organizations/lab", "", 404, "")
	w.send(w.Other, post, "/v1/invitations/"+i.ID, "", 204, "")
	w.send(w.Other, get, "/v1/organizations/lab", "", 200, `"role":"admin"`)

	// An admin invites, but makes no owners; who left is inviter no more.
	w.send(w.Other, post, join, `{"organization_role":"owner","invitee_email":["eve"]}`, 403, "owner")
	w.send(w.Other, post, join, `{"organization_role":"read_write","invitee_email":["eve"]}`, 204, "")
	w.send(w.Full, patch, "/v1/organizations/lab/bob", `{"role":"read_write"}`, 204, "")
	i = w.invitation(eve, "")
	w.send(w.Other, post, join, `{"organization_role":"read_only","invitee_email":["eve"]}`, 403, "")
	w.send(eve, post, "/v1/invitations/"+i.ID, "", 403, "any more")
	w.send(eve, get, "/v1/organizations/lab", "", 404, "")
	w.send(w.Full, del, "/v1/invitations/"+i.ID+"/lab/join", "", 204, "")

	// To an organization: who runs it answers.
	w.send2(w.Full, post, "/v2/groups/ann", `{"group_details":{"name":"h"}}`, 201, "")
	w.send(eve, post, "/v1/organization", `{"name":"Eves"}`, 204, "")
	w.send(eve, post, "/v1/organizations/Eves/user", `{"username":"bob","role":"read_write"}`, 204, "")
	w.send(w.Full, post, "/v1/invitations/group/ann/h/share", `{"group_actions":["read"],"array_actions":[],"invitee_email_or_name":["eves"]}`, 204, "")
	i = w.invitation(eve, "?group=h")
	w.send(w.Other, post, "/v1/invitations/"+i.ID, "", 404, "")
	w.send(eve, post, "/v1/invitations/"+i.ID, "", 204, "")
	w.send(w.Other, get, "/v1/groups/ann/h", "", 200, "")
	w.send(w.Full, post, "/v1/invitations/share_payment/ann", `{"namespaces":["bob"]}`, 501, "")
	w.send(w.Other, post, "/v1/invitations/share_payment/ann", `{"namespaces":["bob"]}`, 404, "")
}

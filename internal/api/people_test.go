package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"azulejo/datatype"
	"azulejo/format"
	"azulejo/group"
	"azulejo/internal/access"
	"azulejo/internal/account"
	"azulejo/internal/oracle/servertest"
	"azulejo/internal/token"
	"azulejo/vfs/file"
)

// person makes another user with a token of every scope.
func (w *world) person(name string) string {
	w.t.Helper()
	u, err := w.Accounts.Create(w.t.Context(), account.NewUser{Name: name, Password: "a long password"})
	must(w.t, err)
	secret, _, err := w.Tokens.Create(w.t.Context(), token.SubjectOf(u), token.NewToken{Name: "test"})
	must(w.t, err)
	return secret.Reveal()
}

const (
	patch = http.MethodPatch
	del   = http.MethodDelete
)

func (w *world) send(secret, method, path, body string, status int, part string) string {
	w.t.Helper()
	return w.want(secret, method, path, []byte(body), status, part)
}

func TestOrganizationLife(t *testing.T) {
	w := newWorld(t)
	eve := w.person("eve")
	w.send(w.Full, post, "/v1/organization", `{"name":"Lab","description":"we"}`, 204, "")
	w.send(w.Full, post, "/v1/organization", `{"name":"lab"}`, 409, "already exists")
	w.send(w.Full, post, "/v1/organization", `{"name":"BOB"}`, 409, "already exists")
	w.send(w.Full, post, "/v1/organization", `{"name":"public"}`, 400, "reserved")
	w.send(w.Full, post, "/v1/organization", ``, 400, "")
	w.send(w.Full, get, "/v1/organizations/lab", "", 200, `"role":"owner"`)
	w.send(w.Other, get, "/v1/organizations/lab", "", 404, "")
	w.send(w.Full, get, "/v1/organizations/bob", "", 404, "")
	w.send(w.Full, get, "/v1/organizations/public", "", 404, "")
	w.send(w.Full, get, "/v1/user", "", 200, `"organization_name":"Lab"`)

	w.send(w.Full, post, "/v1/organizations/Lab/user", `{"username":"bob","role":"read_only"}`, 204, "")
	w.send(w.Full, post, "/v1/organizations/Lab/user", `{"username":"bob","role":"admin"}`, 409, "")
	w.send(w.Full, post, "/v1/organizations/Lab/user", `{"username":"nobody"}`, 404, "")
	w.send(w.Full, post, "/v1/organizations/Lab/user", `{"username":"eve","role":"king"}`, 400, "read_write_delete")
	w.send(w.Other, post, "/v1/organizations/Lab/user", `{"username":"eve"}`, 403, "")
	w.send(w.Other, patch, "/v1/organizations/lab", `{"description":"mine"}`, 403, "")
	w.send(w.Other, get, "/v1/organizations", "", 200, `"allowed_actions":["read"]`)

	body := string(schemaBody(t, lineSchema()))
	w.send(w.Other, post, "/v1/arrays/Lab/x", body, 403, "")
	w.send(w.Full, post, "/v1/arrays/lab/x", body, 204, "")
	w.send(w.Other, get, "/v1/arrays/lab/x", "", 200, "")
	w.send(eve, get, "/v1/arrays/lab/x", "", 404, "")
	w.send(w.Other, post, "/v3/arrays/lab/x"+submitWrite, "", 403, "")
	w.send(w.Full, patch, "/v1/organizations/Lab/bob", `{"role":"read_write"}`, 204, "")
	w.want(w.Other, post, "/v3/arrays/lab/x"+submitWrite, writeBody(t, 2, 4, 7, 8, 9), 200, "")
	w.send(w.Other, del, "/v1/arrays/lab/x", "", 403, "")
	w.send(w.Other, patch, "/v1/arrays/lab/x/share", `{"namespace":"eve","actions":["read"]}`, 403, "")
	w.send(w.Other, get, "/v1/arrays/browser/owned", "", 200, `"total_items":1`)

	// An admin makes no owners, nor unmakes them; the last owner stays.
	w.send(w.Full, patch, "/v1/organizations/Lab/bob", `{"role":"admin"}`, 204, "")
	w.send(w.Other, patch, "/v1/organizations/Lab/bob", `{"role":"owner"}`, 403, "owner")
	w.send(w.Other, patch, "/v1/organizations/Lab/ann", `{"role":"read_only"}`, 403, "owner")
	w.send(w.Other, del, "/v1/organizations/Lab/ann", "", 403, "owner")
	w.send(w.Other, del, "/v1/organizations/Lab", "", 403, "")
	w.send(w.Full, patch, "/v1/organizations/Lab/ann", `{"role":"admin"}`, 409, "owner")
	w.send(w.Full, del, "/v1/organizations/Lab/ann", "", 409, "owner")
	w.send(w.Full, del, "/v1/users/ann", "", 409, "Lab")

	w.send(w.Full, del, "/v1/organizations/Lab", "", 409, "assets")
	w.send(w.Other, del, "/v1/organizations/Lab/bob", "", 204, "")
	w.send(w.Other, get, "/v1/arrays/lab/x", "", 404, "")
	w.send(w.Full, del, "/v1/arrays/lab/x", "", 204, "")
	w.send(w.Full, patch, "/v1/organizations/Lab", `{"name":"Labs","description":"all of us"}`, 204, "")
	w.send(w.Full, get, "/v1/organizations/labs", "", 200, `"description":"all of us"`)
	w.send(w.Full, del, "/v1/organizations/Labs", "", 204, "")
	w.send(w.Full, get, "/v1/organizations", "", 200, "[]")
}

func TestSharing(t *testing.T) {
	w := newWorld(t)
	eve := w.person("eve")
	body := string(schemaBody(t, lineSchema()))
	w.send(w.Full, post, "/v1/arrays/ann/x", body, 204, "")
	share := func(secret, asset, who string, actions string, status int) {
		t.Helper()
		w.send(secret, patch, "/v1/arrays/ann/"+asset+"/share", `{"namespace":"`+who+`","actions":[`+actions+`]}`, status, "")
	}
	share(w.Other, "x", "bob", `"read"`, 404)
	share(w.Full, "x", "nobody", `"read"`, 404)
	share(w.Full, "x", "bob", `"delete"`, 400)
	share(w.Full, "x", "ann", `"read"`, 400)
	share(w.Full, "x", "public", `"write"`, 400)
	share(w.Full, "x", "bob", `"read_array_schema"`, 204)
	w.send(w.Other, get, "/v1/arrays/ann/x", "", 200, "")
	w.send(w.Other, post, "/v3/arrays/ann/x/query/submit?type=READ", "", 403, "")
	w.send(w.Other, get, "/v1/arrays/ann/x/array_metadata", "", 403, "")
	share(w.Full, "x", "bob", `"read"`, 204)
	info := w.send(w.Other, get, "/v1/arrays/ann/x/metadata", "", 200, `"allowed_actions":["read","read_array_info","read_array_schema"]`)
	if strings.Contains(info, w.Dir) {
		t.Errorf("a stranger reads a path of the server: %s", info)
	}
	w.want(w.Other, post, "/v3/arrays/ann/x"+submitWrite, writeBody(t, 2, 4, 7, 8, 9), 403, "")
	share(w.Other, "x", "eve", `"read"`, 403)
	w.send(w.Other, get, "/v1/arrays/ann/x/share", "", 403, "")
	share(w.Full, "x", "bob", `"write"`, 204)
	w.want(w.Other, post, "/v3/arrays/ann/x"+submitWrite, writeBody(t, 2, 4, 7, 8, 9), 200, "")
	w.send(w.Other, get, "/v1/arrays/ann/x/array_metadata", "", 403, "")

	// Who may share passes on what he has, no more.
	share(w.Full, "x", "bob", `"read","edit"`, 204)
	share(w.Other, "x", "eve", `"write"`, 403)
	share(w.Other, "x", "eve", `"read"`, 204)
	w.send(eve, get, "/v1/arrays/browser/shared", "", 200, `"tiledb_uri":"tiledb://ann/x"`)
	w.send(eve, get, "/v1/arrays/browser/shared?permissions=write", "", 200, `"arrays":null`)
	w.send(eve, get, "/v1/arrays/browser/shared/sidebar", "", 200, `"ann":1`)
	w.send(eve, get, "/v1/arrays/browser/owned", "", 200, `"arrays":[]`)
	w.send(eve, get, "/v1/arrays/ann", "", 200, `"name":"x"`)
	w.send(w.Full, get, "/v1/arrays/ann/x/share", "", 200, `{"actions":["read","read_array_info","read_array_schema"],"namespace":"eve","namespace_type":"user"}`)
	share(w.Full, "x", "eve", ``, 204)
	w.send(eve, get, "/v1/arrays/ann/x", "", 404, "")
	w.send(eve, get, "/v1/arrays/ann", "", 404, "")
	w.send(eve, get, "/v1/assets/ann", "", 404, "")
	share(w.Full, "x", "public", `"read"`, 204)
	w.send(eve, get, "/v1/arrays/ann/x/metadata", "", 200, `"public_share":true`)
	w.send(eve, get, "/v1/arrays/browser/public", "", 200, `"total_items":1`)
	w.send(eve, get, "/v1/public_assets", "", 200, `"asset_ownership_level":"shared"`)
	w.send("", get, "/v1/arrays/ann/x", "", 401, "")

	// To an organization, each member as far as his role goes.
	share(w.Full, "x", "public", ``, 204)
	w.send(w.Other, post, "/v1/organization", `{"name":"Lab"}`, 204, "")
	w.send(w.Other, post, "/v1/organizations/Lab/user", `{"username":"eve","role":"read_only"}`, 204, "")
	share(w.Full, "x", "bob", ``, 204)
	share(w.Full, "x", "lab", `"read","write"`, 204)
	w.want(eve, post, "/v3/arrays/ann/x"+submitWrite, writeBody(t, 2, 4, 7, 8, 9), 403, "")
	w.want(w.Other, post, "/v3/arrays/ann/x"+submitWrite, writeBody(t, 2, 4, 7, 8, 9), 200, "")
	w.send(eve, get, "/v1/arrays/browser/shared?shared_to=lab", "", 200, `"total_items":1`)
	w.send(eve, get, "/v1/arrays/browser/shared?shared_to=bob", "", 200, `"total_items":0`)
}

// A group passes on what its members' owner could share, and nothing else.
func TestSharedGroups(t *testing.T) {
	w := newWorld(t)
	eve := w.person("eve")
	body := string(schemaBody(t, lineSchema()))
	w.send(w.Full, post, "/v1/arrays/ann/x", body, 204, "")
	w.send(w.Other, post, "/v1/arrays/bob/secret", body, 204, "")
	make := func(name string) {
		t.Helper()
		w.send2(w.Full, post, "/v2/groups/ann", `{"group_details":{"name":"`+name+`"}}`, 201, `"tiledb_uri":"tiledb://ann/`+name+`"`)
	}
	make("outer")
	make("inner")
	add := func(group, uri, kind string, status int) {
		t.Helper()
		w.send2(w.Full, patch, "/v2/groups/ann/"+group, `{"group_changes":{"members_to_add":[{"name":"`+kind+`","uri":"`+uri+`","type":"`+kind+`"}]}}`, status, "")
	}
	add("outer", "tiledb://ann/inner", "GROUP", 204)
	add("inner", "tiledb://ann/x", "ARRAY", 204)
	add("inner", "tiledb://bob/secret", "ARRAY", 400)
	add("inner", "tiledb://ann/x", "GROUP", 400)
	w.send(w.Full, patch, "/v1/groups/ann/outer/share", `{"namespace":"eve","group_actions":["read"],"array_actions":[]}`, 204, "")
	w.send(eve, get, "/v1/groups/ann/inner", "", 200, `"asset_count":1`)
	w.send(eve, get, "/v1/arrays/ann/x", "", 404, "")
	w.send(eve, get, "/v1/groups/ann/inner/contents", "", 200, `"entries":[]`)
	w.send(w.Full, patch, "/v1/groups/ann/outer/share", `{"namespace":"eve","group_actions":["read"],"array_actions":["read"]}`, 204, "")
	w.send(eve, get, "/v1/arrays/ann/x", "", 200, "")
	w.send(eve, get, "/v1/groups/ann/inner/contents", "", 200, `"tiledb_uri":"tiledb://ann/x"`)
	w.send(eve, get, "/v1/groups/browser/shared", "", 200, `"total_items":2`)
	w.send(eve, get, "/v1/arrays/browser/shared", "", 200, `"total_items":1`)
	w.send(w.Full, get, "/v1/groups/ann/outer/share", "", 200, `"array_actions":["read","read_array_info","read_array_schema"]`)
	w.send(eve, patch, "/v1/groups/ann/outer/share", `{"namespace":"bob","group_actions":["read"],"array_actions":["read"]}`, 403, "")

	// With a write share bob puts an array of his into ann's group, which shares it to nobody he did not.
	w.send(w.Full, patch, "/v1/groups/ann/inner/share", `{"namespace":"bob","group_actions":["read","write"],"array_actions":[]}`, 204, "")
	w.send2(w.Other, patch, "/v2/groups/ann/inner", `{"group_changes":{"members_to_add":[{"uri":"tiledb://bob/secret"}]}}`, 204, "")
	w.send(eve, get, "/v1/arrays/bob/secret", "", 200, "") // who may share it put it where eve reads
	w.send2(w.Other, patch, "/v2/groups/ann/inner", `{"group_changes":{"members_to_remove":["tiledb://bob/secret"]}}`, 204, "")
	w.send(eve, get, "/v1/arrays/bob/secret", "", 404, "")

	w.send(w.Full, patch, "/v2/groups/ann/inner", `{}`, 400, "")
	w.send2(w.Full, patch, "/v2/groups/ann/outer", `{"group_changes":{"members_to_remove":["tiledb://ann/inner"]}}`, 204, "")
	w.send(eve, get, "/v1/arrays/ann/x", "", 404, "")
	w.send(eve, get, "/v1/groups/ann/inner", "", 404, "")
	add("outer", "tiledb://ann/inner", "GROUP", 204)
	w.send(eve, get, "/v1/arrays/ann/x", "", 200, "")
	w.send(w.Full, del, "/v2/groups/ann/outer?recursive=true", "", 200, "")
	w.send(w.Full, get, "/v1/arrays/ann/x", "", 404, "")
	w.send(w.Full, get, "/v1/groups/browser/owned", "", 200, `"groups":[]`)
}

// send2 is send with the content type of a JSON body.
func (w *world) send2(secret, method, path, body string, status int, part string) {
	w.t.Helper()
	w.contentType = "application/json"
	defer func() { w.contentType = "" }()
	w.send(secret, method, path, body, status, part)
}

func TestUsers(t *testing.T) {
	w := newWorld(t)
	w.send("", post, "/v1/user", `{"username":"new","password":"a long password"}`, 403, "administrator")
	w.send(w.Full, post, "/v1/user", `{"username":"new","password":"a long password"}`, 403, "administrator")
	w.api.limits.SignUp = OpenToAll
	w.send("", post, "/v1/user", `{"username":"new","password":"short"}`, 400, "8 characters")
	w.send("", post, "/v1/user", `{"username":"new","password":"a long password","email":"nowhere"}`, 400, "mail address")
	w.send("", post, "/v1/user", `{"username":"new","password":"a long password","email":"n@example.org","company":"us"}`, 204, "")
	w.send("", post, "/v1/user", `{"username":"NEW","password":"a long password"}`, 409, "already exists")
	w.api.limits.SignUp = Approval
	w.send("", post, "/v1/user", `{"username":"later","password":"a long password"}`, 204, "")
	if _, err := w.Accounts.Verify(t.Context(), "later", "a long password"); err == nil {
		t.Error("who waits for the administrator can sign in")
	}
	u, err := w.Accounts.ByName(t.Context(), "later")
	must(t, err)
	must(t, w.Accounts.Approve(t.Context(), u.ID))
	if _, err := w.Accounts.Verify(t.Context(), "later", "a long password"); err != nil {
		t.Error(err)
	}
	w.send(w.Full, get, "/v1/users/new", "", 200, `"username":"new"`)
	if text := w.send(w.Full, get, "/v1/users/new", "", 200, ""); strings.Contains(text, "example.org") {
		t.Errorf("a stranger's mail address is shown: %s", text)
	}
	w.send(w.Full, get, "/v1/users/nobody", "", 404, "")
	w.send(w.Full, patch, "/v1/users/ann", `{"name":"Ann A.","timezone":"Europe/Lisbon","email":"ann@example.org","company":"us"}`, 204, "")
	w.send(w.Full, get, "/v1/user", "", 200, `"timezone":"Europe/Lisbon"`)
	w.send(w.Full, patch, "/v1/users/ann", `{"timezone":"Nowhere"}`, 400, "time zone")
	w.send(w.Full, patch, "/v1/users/ann", `{"username":"anne"}`, 400, "")
	w.send(w.Full, patch, "/v1/users/ann", `{"default_namespace_charged":"bob"}`, 400, "charged")
	w.send(w.Full, patch, "/v1/users/bob", `{"name":"B"}`, 404, "")
	w.send(w.Full, patch, "/v1/users/ann", `{"default_s3_path":"/etc"}`, 403, "")
	var info struct {
		Path string `json:"default_s3_path"`
	}
	must(t, json.Unmarshal([]byte(w.send(w.Full, get, "/v1/user", "", 200, `"default_s3_path_credentials_name":"local"`)), &info))
	body := string(schemaBody(t, lineSchema()))
	escaped := strings.ReplaceAll(info.Path+"/made/here", "/", "%2F")
	w.send(w.Full, post, "/v1/arrays/ann/"+escaped, body, 204, "")
	w.send(w.Full, get, "/v1/arrays/ann/here", "", 200, "")
	w.send(w.Other, post, "/v1/arrays/bob/"+escaped+"2", body, 403, "")
	w.send(w.Full, patch, "/v1/users/ann", `{"asset_locations":{"arrays":{"path":"`+w.Allowed+`"}}}`, 204, "")
	w.send(w.Full, get, "/v1/user", "", 200, w.Allowed)

	once := func(scope access.Scope) string {
		secret, _, err := w.Tokens.Create(t.Context(), w.Ann, token.NewToken{Kind: token.Session, SingleUse: scope})
		must(t, err)
		return secret.Reveal()
	}
	reset := once(access.ScopePasswordReset)
	w.send(reset, get, "/v1/user", "", 403, "")
	w.send(w.Full, post, "/v1/user/password_reset", `{"password":"another password"}`, 403, "")
	w.send(reset, post, "/v1/user/password_reset", `{"password":"short"}`, 400, "")
	w.send(reset, post, "/v1/user/password_reset", `{"password":"another password"}`, 204, "")
	w.send(reset, post, "/v1/user/password_reset", `{"password":"a third password"}`, 401, "")
	if _, err := w.Accounts.Verify(t.Context(), "ann", "another password"); err != nil {
		t.Error(err)
	}
	w.send(w.Full, get, "/v1/user", "", 200, `"is_valid_email":false`)
	w.send(once(access.ScopeConfirmEmail), post, "/v1/user/confirm_email", "", 400, "no such mail address") // a token for no address
	w.Deliver(t)
	w.send(w.Full, patch, "/v1/users/ann", `{"email":"ann@example.net"}`, 204, "")
	w.send("azj_s_"+servertest.Link(t, w.Deliver(t)[0], "/confirm/azj_s_"), post, "/v1/user/confirm_email", "", 204, "")
	w.send(w.Full, get, "/v1/user", "", 200, `"is_valid_email":true`)
	w.send(w.Full, del, "/v1/users/ann", "", 409, "assets")
	w.send(w.Other, del, "/v1/users/bob", "", 204, "")
	w.send(w.Other, get, "/v1/user", "", 401, "")
}

// A group that is registered is known for what its metadata says it is, and its members are noted.
func TestRegisteredGroupIsRecognised(t *testing.T) {
	w := newWorld(t)
	ctx, uri := t.Context(), "file://"+w.Allowed+"/set"
	must(t, group.Create(ctx, file.New(), uri))
	g, err := group.Open(ctx, file.New(), uri, group.Latest())
	must(t, err)
	must(t, g.PutMetadata(ctx, []format.MetadataEntry{{Key: "dataset_type", Type: datatype.StringASCII, Num: 3, Value: []byte("vcf")}}, 0))
	w.send(w.Full, post, "/v1/arrays/ann/"+strings.ReplaceAll(w.Allowed+"/inside", "/", "%2F"), string(schemaBody(t, lineSchema())), 204, "")
	must(t, g.Update(ctx, []group.Member{{Type: format.ObjectArray, URI: "file://" + w.Allowed + "/inside", Name: "in", Named: true}}, nil, 0))
	w.send2(w.Full, http.MethodPut, "/v2/groups/ann", `{"group_details":{"name":"set","uri":"`+uri+`","description":"variants"}}`, 201, `"name":"set"`)
	w.send(w.Full, get, "/v1/groups/ann/set", "", 200, `"asset_count":1`)
	w.send(w.Full, get, "/v1/groups/ann/set", "", 200, `"group_type":"vcf"`)
	w.send(w.Full, get, "/v1/groups/browser/owned?group_type=vcf", "", 200, `"description":"variants"`)
	w.send(w.Full, get, "/v1/groups/browser/owned?group_type=generic", "", 200, `"groups":[]`)
	w.send(w.Full, get, "/v1/groups/browser/owned/filters", "", 200, `"group_types":["vcf"]`)
	w.send(w.Full, get, "/v1/assets/ann?asset_type=vcf", "", 200, `"asset_type":"vcf"`)
	w.send(w.Full, get, "/v1/assets/ann?asset_type=group", "", 200, `"total_items":1`)
	w.send(w.Full, get, "/v1/assets/ann?depth=root", "", 200, `"total_items":1`)
	w.send2(w.Full, http.MethodPut, "/v2/groups/ann", `{"group_details":{"name":"again","uri":"`+uri+`"}}`, 409, "")
	w.send2(w.Full, http.MethodPut, "/v2/groups/ann", `{"group_details":{"name":"none","uri":"`+uri+`x"}}`, 404, "")
	w.send2(w.Other, http.MethodPut, "/v2/groups/bob", `{"group_details":{"uri":"`+uri+`"}}`, 403, "")
	w.send2(w.Full, post, "/v2/groups/ann", `{"group_details":{"name":"child","parent":"tiledb://ann/set"}}`, 201, "")
	w.send(w.Full, get, "/v1/groups/ann/set/contents?member_type=group", "", 200, `"name":"child"`)
	w.send(w.Full, get, "/v1/groups/browser/owned?flat=True", "", 200, `"total_items":2`)
	w.send(w.Full, get, "/v1/groups/browser/owned?flat=false", "", 200, `"total_items":1`)
	w.send(w.Full, get, "/v1/groups/browser/owned?flat=perhaps", "", 400, "flat")
	var set struct{ ID string }
	must(t, json.Unmarshal([]byte(w.send(w.Full, get, "/v1/groups/ann/set", "", 200, "")), &set))
	w.send(w.Full, get, "/v1/groups/browser/owned?parent="+set.ID, "", 200, `"name":"child"`)
	w.send2(w.Full, post, "/v2/groups/ann", `{"group_details":{"name":"orphan","parent":"tiledb://ann/nowhere"}}`, 400, "parent")
}

package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"azulejo/internal/access"
	"azulejo/internal/credential"
	"azulejo/internal/web"
)

// credentialOps are the rows of credentials for object stores (spec page cloud-api.md, section 2; decision 135).
func (a *API) credentialOps() []web.Operation {
	const v1, v2 = "/v1/credentials/{namespace}/aws", "/v2/credentials/{namespace}"
	read := func(id, path string, handle web.Handler) web.Operation {
		return web.Operation{ID: id, Method: http.MethodGet, Path: path, Action: access.CredentialsRead, Also: []access.Action{access.OrgCredentialsRead},
			Refine: ownOr(access.CredentialsRead, access.OrgCredentialsRead), Find: a.findNamespace, Handle: handle}
	}
	write := func(id, method, path string, handle web.Handler) web.Operation {
		return web.Operation{ID: id, Method: method, Path: path, Action: access.CredentialsWrite, Also: []access.Action{access.OrgCredentialsWrite},
			Refine: ownOr(access.CredentialsWrite, access.OrgCredentialsWrite), Find: a.findNamespace, Handle: handle}
	}
	return []web.Operation{
		read("checkAWSAccessCredentials", v1, a.listCredentialsV1),
		write("addAWSAccessCredentials", http.MethodPost, v1, a.addCredential(decodeV1)),
		read("checkAWSAccessCredentialsByName", v1+"/{name}", a.getCredentialV1),
		write("updateAWSAccessCredentials", http.MethodPatch, v1+"/{name}", a.updateCredential(decodeV1)),
		write("deleteAWSAccessCredentials", http.MethodDelete, v1+"/{name}", a.deleteCredential),
		read("listCredentials", v2, a.listCredentials),
		write("addCredential", http.MethodPost, v2, a.addCredential(decodeV2)),
		read("getCredential", v2+"/{name}", a.getCredential),
		write("updateCredential", http.MethodPatch, v2+"/{name}", a.updateCredential(decodeV2)),
		write("deleteCredential", http.MethodDelete, v2+"/{name}", a.deleteCredential),
		write("testCredential", http.MethodPost, v2+"/{name}/test", a.testCredential),
		write("changeAssetCredentials", http.MethodPost, "/v1/assets/{namespace}/change_credentials", a.changeCredentials),
	}
}

// ownOr chooses the action by the name in the path, before any look-up: the caller's own namespace, or else an organization.
func ownOr(own, other access.Action) func(*web.Request) (access.Action, error) {
	return func(r *web.Request) (access.Action, error) {
		if n := r.Param("namespace"); sameName(n, r.Subject.Namespace) || sameName(n, r.Subject.NamespaceID) {
			return own, nil
		}
		return other, nil
	}
}

// shape is one form of credential: the two members of the body that hold it, and its kind. id and secret name the members of
// its public and of its secret part.
type shape struct {
	group, provider string
	kind            credential.Kind
	id, secret      string
}

var shapes = []shape{
	{"credential", "aws", credential.Kind{Provider: "AWS", Type: "key"}, "access_key_id", "secret_access_key"},
	{"credential", "azure", credential.Kind{Provider: "AZURE", Type: "key"}, "account_name", "account_key"},
	{"credential", "gcp", credential.Kind{Provider: "GCP", Type: "key"}, "access_key_id", "secret_access_key"},
	{"role", "aws", credential.Kind{Provider: "AWS", Type: "arn"}, "role_arn", "external_id"},
	{"token", "azure", credential.Kind{Provider: "AZURE", Type: "azure_token"}, "account_name", "sas_token"},
	{"token", "gcp", credential.Kind{Provider: "GCP", Type: "token"}, "account_id", "key_text"},
}

// change is what a request wants of a credential; nil fields stay.
type change struct {
	name           *string
	isDefault, job *bool
	buckets        *[]string
	// kind, public and secret come together: a secret never goes to an endpoint that it was not given for.
	kind   credential.Kind
	public credential.Public
	secret *string
}

func (n change) apply(c *credential.Credential) {
	if n.name != nil {
		c.Name = *n.name
	}
	if n.isDefault != nil {
		c.Default = *n.isDefault
	}
	if n.job != nil {
		c.InTasks = *n.job
	}
	if n.secret != nil {
		buckets := c.Public.Buckets
		c.Kind, c.Public = n.kind, n.public
		c.Public.Buckets = buckets
	}
	if n.buckets != nil {
		c.Public.Buckets = *n.buckets
	}
}

// decodeV1 reads the body of version 1, which knows Amazon's keys and roles only.
func decodeV1(body []byte) (change, error) {
	var b struct {
		Name    *string   `json:"name"`
		KeyID   string    `json:"access_key_id"`
		Secret  string    `json:"secret_access_key"`
		RoleARN string    `json:"service_role_arn"`
		Default *bool     `json:"default"`
		Buckets *[]string `json:"buckets"`
	}
	if err := web.ParseJSON(body, &b); err != nil {
		return change{}, err
	}
	n := change{name: b.Name, isDefault: b.Default, buckets: b.Buckets}
	switch {
	case b.KeyID != "" && b.Secret != "":
		n.kind, n.public, n.secret = shapes[0].kind, credential.Public{KeyID: b.KeyID, RoleARN: b.RoleARN}, &b.Secret
	case b.KeyID != "" || b.Secret != "":
		return n, fmt.Errorf("%w: access_key_id and secret_access_key come together", credential.ErrInvalid)
	case b.RoleARN != "":
		none := ""
		n.kind, n.public, n.secret = credential.Kind{Provider: "AWS", Type: "arn"}, credential.Public{KeyID: b.RoleARN}, &none
	}
	return n, nil
}

// decodeV2 reads the body of version 2, which holds at most one form.
func decodeV2(body []byte) (change, error) {
	var b struct {
		Name    *string `json:"name"`
		Default *bool   `json:"provider_default"`
		InTasks *bool   `json:"allowed_in_tasks"`
	}
	var parts map[string]json.RawMessage
	if err := web.ParseJSON(body, &b); err != nil {
		return change{}, err
	}
	if err := web.ParseJSON(body, &parts); err != nil {
		return change{}, err
	}
	n := change{name: b.Name, isDefault: b.Default, job: b.InTasks}
	for _, f := range shapes {
		var group map[string]map[string]*string
		if err := web.ParseJSON(parts[f.group], &group); err != nil {
			return n, err
		}
		fields := group[f.provider]
		if fields == nil {
			continue
		}
		if n.secret != nil {
			return n, fmt.Errorf("%w: a credential has one form only", credential.ErrInvalid)
		}
		if err := n.read(f, fields); err != nil {
			return n, err
		}
	}
	return n, nil
}

// read takes the fields of a form.
func (n *change) read(f shape, fields map[string]*string) error {
	text := func(name string) string {
		if p := fields[name]; p != nil {
			return *p
		}
		return ""
	}
	secret := text(f.secret)
	n.kind, n.secret = f.kind, &secret
	n.public = credential.Public{KeyID: text(f.id), Endpoint: text("endpoint"), KMSKey: text("sse_kms_key_id")}
	if f.secret == "key_text" { // the account is in the key
		var key struct {
			Account string `json:"client_email"`
			KeyID   string `json:"private_key_id"`
		}
		if json.Unmarshal([]byte(secret), &key) != nil || key.Account == "" {
			return fmt.Errorf("%w: key_text is not the JSON key of a service account", credential.ErrInvalid)
		}
		n.public = credential.Public{KeyID: key.Account, KMSKey: key.KeyID}
	}
	if secret == "" || n.public.KeyID == "" {
		return fmt.Errorf("%w: %s and %s are both needed, also when only other fields of %s.%s change", credential.ErrInvalid, f.id, f.secret, f.group, f.provider)
	}
	return nil
}

func (a *API) addCredential(decode func([]byte) (change, error)) web.Handler {
	return func(w http.ResponseWriter, r *web.Request) error {
		body, err := r.ReadBody()
		if err != nil {
			return err
		}
		n, err := decode(body)
		if err != nil {
			return err
		}
		if n.secret == nil {
			return fmt.Errorf("%w: it has no key, role or token", credential.ErrInvalid)
		}
		if err := credential.CheckEndpoint(n.public.Endpoint, a.limits.Endpoints); err != nil {
			return err
		}
		c := credential.Credential{NamespaceID: r.Object.ID}
		n.apply(&c)
		return noContent(w, a.secrets.Add(r.Context(), c, *n.secret))
	}
}

func (a *API) updateCredential(decode func([]byte) (change, error)) web.Handler {
	return func(w http.ResponseWriter, r *web.Request) error {
		body, err := r.ReadBody()
		if err != nil {
			return err
		}
		n, err := decode(body)
		if err != nil {
			return err
		}
		if err := credential.CheckEndpoint(n.public.Endpoint, a.limits.Endpoints); err != nil {
			return err
		}
		c, err := a.secrets.ByName(r.Context(), r.Object.ID, r.Param("name"))
		if err != nil {
			return err
		}
		old := c.Name
		n.apply(&c)
		if err := a.secrets.Update(r.Context(), c, n.secret); err != nil {
			return err
		}
		if c.Name != old {
			err = a.catalog.RenameCredentials(r.Context(), r.Grant, r.Object.ID, old, c.Name)
		}
		return noContent(w, err)
	}
}

func (a *API) deleteCredential(w http.ResponseWriter, r *web.Request) error {
	return noContent(w, a.secrets.Remove(r.Context(), r.Object.ID, r.Param("name")))
}

// testCredential tries whether a credential opens a place. It is ours, not published.
func (a *API) testCredential(w http.ResponseWriter, r *web.Request) error {
	var b struct {
		URI   string `json:"uri"`
		Write bool   `json:"write"`
	}
	if err := r.DecodeJSON(&b); err != nil {
		return err
	}
	c, err := a.secrets.ByName(r.Context(), r.Object.ID, r.Param("name"))
	if err != nil {
		return err
	}
	if err := a.tokens.AskedForTest(r.Origin()); err != nil {
		return err
	}
	return noContent(w, a.secrets.Test(r.Context(), c, b.URI, b.Write, a.limits.Endpoints))
}

// changeCredentials names the credential of assets of the namespace.
func (a *API) changeCredentials(w http.ResponseWriter, r *web.Request) error {
	var b struct {
		Credentials string   `json:"access_credentials"`
		Assets      []string `json:"asset_uuids"`
	}
	if err := r.DecodeJSON(&b); err != nil {
		return err
	}
	if b.Credentials == "" || len(b.Assets) == 0 {
		return fmt.Errorf("%w: access_credentials and asset_uuids are needed", web.ErrBadRequest)
	}
	name := localCredentials
	if !sameName(b.Credentials, localCredentials) {
		c, err := a.secrets.ByName(r.Context(), r.Object.ID, b.Credentials)
		if err != nil {
			return err
		}
		name = c.Name
	}
	return noContent(w, a.catalog.SetCredentials(r.Context(), r.Grant, r.Object.ID, b.Assets, name))
}

// credentialV1 is the published shape of version 1. It has no member for a secret.
type credentialV1 struct {
	Name      string    `json:"name"`
	KeyID     string    `json:"access_key_id,omitempty"`
	RoleARN   string    `json:"service_role_arn,omitempty"`
	Default   bool      `json:"default"`
	Buckets   []string  `json:"buckets"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

func toV1(c credential.Credential) credentialV1 {
	v := credentialV1{Name: c.Name, KeyID: c.Public.KeyID, RoleARN: c.Public.RoleARN, Default: c.Default, Buckets: c.Public.Buckets,
		CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt}
	if c.Kind.Type == "arn" {
		v.KeyID, v.RoleARN = "", c.Public.KeyID
	}
	if v.Buckets == nil {
		v.Buckets = []string{}
	}
	return v
}

func (a *API) listCredentialsV1(w http.ResponseWriter, r *web.Request) error {
	list, err := a.secrets.List(r.Context(), r.Object.ID, credential.Kind{Provider: "AWS"})
	if err != nil {
		return err
	}
	out := []credentialV1{}
	for _, c := range list {
		out = append(out, toV1(c))
	}
	return web.JSON(w, r, http.StatusOK, out)
}

func (a *API) getCredentialV1(w http.ResponseWriter, r *web.Request) error {
	c, err := a.secrets.ByName(r.Context(), r.Object.ID, r.Param("name"))
	if err == nil && c.Kind.Provider != "AWS" {
		err = credential.ErrNotFound
	}
	if err != nil {
		return err
	}
	return web.JSON(w, r, http.StatusOK, toV1(c))
}

// toV2 returns the published shape of version 2: the public members of the credential's form.
func toV2(c credential.Credential) map[string]any {
	v := map[string]any{"uuid": c.ID, "name": c.Name, "provider": c.Kind.Provider, "provider_default": c.Default, "allowed_in_tasks": c.InTasks,
		"created_at": c.CreatedAt, "updated_at": c.UpdatedAt}
	for _, f := range shapes {
		if f.kind != c.Kind {
			continue
		}
		fields := map[string]any{f.id: c.Public.KeyID}
		switch {
		case f.secret == "key_text":
			fields["key_id"] = c.Public.KMSKey
		case f.provider == "aws":
			fields["endpoint"], fields["sse_kms_key_id"] = c.Public.Endpoint, c.Public.KMSKey
		}
		v[f.group] = map[string]any{f.provider: fields}
	}
	return v
}

// builtIn is how version 2 shows the server's own storage, which needs no credential and is nobody's cloud.
func builtIn() map[string]any {
	return map[string]any{"name": localCredentials, "allowed_in_tasks": true, "provider_default": false}
}

func (a *API) listCredentials(w http.ResponseWriter, r *web.Request) error {
	k := credential.Kind{Provider: strings.ToUpper(r.Query().Get("provider")), Type: r.Query().Get("type")}
	page, perPage, err := pageOf(r, defaultPerPage)
	if err != nil {
		return err
	}
	list, err := a.secrets.List(r.Context(), r.Object.ID, k)
	if err != nil {
		return err
	}
	all := []map[string]any{}
	if k == (credential.Kind{}) {
		all = append(all, builtIn())
	}
	for _, c := range list {
		all = append(all, toV2(c))
	}
	out := struct {
		Credentials []map[string]any `json:"credentials"`
		Pagination  pagination       `json:"pagination_metadata"`
	}{}
	out.Pagination.fill(page, perPage, len(all))
	from := min((page-1)*perPage, len(all))
	out.Credentials = all[from:min(from+perPage, len(all))]
	return web.JSON(w, r, http.StatusOK, out)
}

func (a *API) getCredential(w http.ResponseWriter, r *web.Request) error {
	if sameName(r.Param("name"), localCredentials) {
		return web.JSON(w, r, http.StatusOK, builtIn())
	}
	c, err := a.secrets.ByName(r.Context(), r.Object.ID, r.Param("name"))
	if err != nil {
		return err
	}
	return web.JSON(w, r, http.StatusOK, toV2(c))
}

package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"

	"azulejo/format"
	"azulejo/internal/access"
	"azulejo/internal/account"
	"azulejo/internal/catalog"
	"azulejo/internal/vault"
	"azulejo/internal/web"
)

const (
	onFunction = "/v1/udf/{namespace}/{name}"
	onCode     = "/v1/taskgraphs/{namespace}/registered/{name}"
	// maxCode is the length in bytes of the longest code that is taken, with what is said about it.
	maxCode = 64 << 20
	// codeType is what stored code is, as a file.
	codeType = "application/json"
)

// codeOps are the rows of code that is kept, not run: user-defined functions and task graphs (spec page cloud-api.md, sections
// 4, 5 and 7; decision 145). Each is an array that holds a document, and each update is a version of it.
func (a *API) codeOps() []web.Operation {
	row := func(k codeKind, id, method, path string, action access.Action, handle web.Handler) web.Operation {
		return web.Operation{ID: id, Method: method, Path: path, Action: action, Find: a.findCode(k.fileType), Handle: handle, MaxBody: maxCode}
	}
	kind := func(k codeKind) []web.Operation {
		register := row(k, k.ids[0], http.MethodPost, k.path, access.ArrayCreate, a.registerCode(k))
		register.Find = a.findNamespace
		update := row(k, k.ids[2], http.MethodPatch, k.path, access.ArrayDescribe, a.updateCode(k))
		update.Also, update.Refine = []access.Action{access.ArrayWrite}, k.updateAction
		remove := a.removes(row(k, k.ids[3], http.MethodDelete, k.path, access.ArrayDelete, nil), http.StatusNoContent, a.deleteArray)
		return []web.Operation{register, row(k, k.ids[1], http.MethodGet, k.path, access.ArrayRead, a.getCode(k)), update, remove,
			row(k, k.ids[4], http.MethodGet, k.path+"/share", access.ArrayShares, a.codeSharings(k)),
			row(k, k.ids[5], http.MethodPatch, k.path+"/share", access.ArrayShare, a.shareCode(k))}
	}
	return append(append(kind(functions), kind(graphs)...),
		row(functions, "HandleCopyUDF", http.MethodPost, onFunction+"/copy", access.ArrayRead, a.copyFile(functions.fileKind)),
		row(functions, "udfEndTimestamps", http.MethodGet, onFunction+"/end_timestamps", access.ArrayRead, a.endTimestamps),
		web.Operation{ID: "getTiledbStats", Method: http.MethodGet, Path: "/v1/.stats", Action: access.UsersAdmin, Handle: a.stats})
}

// codeKind is one of the two kinds of code.
type codeKind struct {
	fileKind
	path string
	// ids are the published identifiers: register, get, update, delete, get shares, share.
	ids [6]string
	// right names what reading and sharing are called when such code is shared.
	fetch, share string
	// content are the members of the document that are the code itself: who changes them must be allowed to write.
	content []string
	// check returns an error of class web.ErrBadRequest for a document that is none of the kind.
	check func(codeDocument) error
	// shown are the members that a reader gets; none means the document as it was sent.
	shown []string
}

var functions = codeKind{fileKind: fileKind{catalog.FunctionType, true, codeType}, path: onFunction,
	ids:   [6]string{"registerUDFInfo", "getUDFInfo", "updateUDFInfo", "deleteUDFInfo", "getUDFInfoSharingPolicies", "shareUDFInfo"},
	fetch: "fetch_udf", share: "share_udf", content: []string{"language", "version", "image_name", "type", "exec", "exec_raw", "readme"}, check: checkFunction,
	shown: []string{"language", "version", "image_name", "type", "exec_raw", "readme"}}

var graphs = codeKind{fileKind: fileKind{catalog.GraphType, true, codeType}, path: onCode,
	ids: [6]string{"registerRegisteredTaskGraph", "getRegisteredTaskGraph", "updateRegisteredTaskGraph", "deleteRegisteredTaskGraph",
		"getRegisteredTaskGraphSharingPolicies", "shareRegisteredTaskGraph"},
	fetch: "fetch_task_graph", share: "share_task_graph", content: []string{"nodes", "readme"}, check: checkGraph}

// codeDocument is the JSON object of some code, its members as they were sent and in that order.
type codeDocument struct {
	names  []string
	values map[string]json.RawMessage
}

// parseCode reads a JSON object. Of a member that comes twice the last value counts. The error is of class web.ErrBadRequest.
func parseCode(body []byte) (codeDocument, error) {
	d := codeDocument{values: map[string]json.RawMessage{}}
	dec := json.NewDecoder(bytes.NewReader(body))
	bad := func(err error) (codeDocument, error) {
		return d, fmt.Errorf("%w: the body is not one JSON object: %w", web.ErrBadRequest, err)
	}
	start, err := dec.Token()
	if err != nil || start != json.Delim('{') {
		return bad(errors.Join(err, fmt.Errorf("it begins with %v", start)))
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return bad(err)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return bad(err)
		}
		d.set(name.(string), value) // a name is a text: the decoder saw to it
	}
	if _, err := dec.Token(); err != nil {
		return bad(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return bad(errors.New("something follows it"))
	}
	return d, nil
}

// set gives a member a value, at the end if it is new.
func (d *codeDocument) set(name string, value json.RawMessage) {
	if _, there := d.values[name]; !there {
		d.names = append(d.names, name)
	}
	d.values[name] = value
}

// setText is set for a text.
func (d *codeDocument) setText(name, value string) error {
	text, err := json.Marshal(value)
	d.set(name, text)
	return err
}

// has reports whether a member is there and not null: clients leave out what they do not know, or send null.
func (d codeDocument) has(name string) bool {
	value, there := d.values[name]
	return there && string(value) != "null"
}

// read reads a member, which stays as it is when the document has none. The error is of class web.ErrBadRequest.
func (d codeDocument) read(name string, v any) error {
	if !d.has(name) {
		return nil
	}
	if err := json.Unmarshal(d.values[name], v); err != nil {
		return fmt.Errorf("%w: %q is not what it must be: %w", web.ErrBadRequest, name, err)
	}
	return nil
}

// bytes writes the object with its members as they were sent.
func (d codeDocument) bytes() []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, name := range d.names {
		if i > 0 {
			b.WriteString(", ")
		}
		text, _ := json.Marshal(name) // a text always has a form
		b.Write(text)
		b.WriteString(": ")
		b.Write(d.values[name])
	}
	b.WriteByte('}')
	return b.Bytes()
}

// checkFunction checks the document of a function by its published shape.
func checkFunction(d codeDocument) error {
	var language, kind, text string
	if err := errors.Join(d.read("language", &language), d.read("type", &kind)); err != nil {
		return err
	}
	for _, name := range []string{"version", "image_name", "exec", "exec_raw", "readme"} {
		if err := d.read(name, &text); err != nil {
			return err
		}
	}
	switch {
	case !slices.Contains([]string{"", "python", "r"}, language):
		return fmt.Errorf("%w: the language of a function is python or r", web.ErrBadRequest)
	case !slices.Contains([]string{"", "generic", "single_array", "multi_array"}, kind):
		return fmt.Errorf("%w: the type of a function is generic, single_array or multi_array", web.ErrBadRequest)
	}
	return nil
}

// checkGraph checks that the nodes of a graph have names and need only nodes of the graph. What else they say is for who runs
// them, and is kept as it is.
func checkGraph(d codeDocument) error {
	var readme string
	var nodes []struct {
		ID    string   `json:"client_node_id"`
		Needs []string `json:"depends_on"`
	}
	if err := errors.Join(d.read("readme", &readme), d.read("nodes", &nodes)); err != nil {
		return err
	}
	known := map[string]bool{}
	for _, n := range nodes {
		if n.ID == "" || known[n.ID] {
			return fmt.Errorf("%w: each node has a client_node_id of its own; %q is empty or used twice", web.ErrBadRequest, n.ID)
		}
		known[n.ID] = true
	}
	for _, n := range nodes {
		for _, id := range n.Needs {
			if !known[id] {
				return fmt.Errorf("%w: the node %s depends on %q, which is not in the graph", web.ErrBadRequest, n.ID, id)
			}
		}
	}
	return nil
}

// patch returns what a document says about the asset beside the code. Members that are absent or null stay.
func (k codeKind) patch(d codeDocument) (p catalog.Patch, err error) {
	text := func(name string) *string {
		var v string
		if !d.has(name) {
			return nil
		}
		err = errors.Join(err, d.read(name, &v))
		return &v
	}
	p = catalog.Patch{Name: text("name"), LicenseID: text("license_id"), LicenseText: text("license_text")}
	if d.has("tags") {
		p.Tags = &[]string{}
		err = errors.Join(err, d.read("tags", p.Tags))
	}
	return p, err
}

// findCode looks up an array of a file type by the name in a path.
func (a *API) findCode(fileType string) func(*web.Request) (access.Object, error) {
	return func(r *web.Request) (access.Object, error) {
		o, err := a.find(r, r.Param("name"), catalog.Array)
		if err == nil && (asset(r).Info.FileType != fileType || asset(r).Part() != "") {
			return access.Object{}, catalog.ErrNotFound
		}
		return o, err
	}
}

// incomingCode is some code as a file to store.
func (k codeKind) incoming(d codeDocument) *incoming {
	body := d.bytes()
	return &incoming{fileKind: k.fileKind, body: bytes.NewReader(body), atMost: uint64(len(body)), exact: true}
}

// properties are what lists tell about code.
func (k codeKind) properties(d codeDocument, in *incoming) (map[string]string, error) {
	p := map[string]string{"size": strconv.FormatUint(in.atMost, 10), "mime_type": codeType}
	for member, name := range map[string]string{"language": "udf_language", "image_name": "image", "type": "udf_type"} {
		var text string
		if err := d.read(member, &text); err != nil {
			return nil, err
		}
		if text != "" && k.fileType == catalog.FunctionType {
			p[name] = text
		}
	}
	return p, nil
}

// registerCode keeps new code under the name of the address.
func (a *API) registerCode(k codeKind) web.Handler {
	return func(w http.ResponseWriter, r *web.Request) error {
		body, err := r.ReadBody()
		if err != nil {
			return err
		}
		d, err := parseCode(body)
		if err != nil {
			return err
		}
		p, err := k.patch(d)
		if err := errors.Join(err, k.check(d)); err != nil {
			return err
		}
		for _, need := range k.content[:1] {
			if !d.has(need) {
				return fmt.Errorf("%w: %q is missing", web.ErrBadRequest, need)
			}
		}
		if err := d.setText("name", r.Param("name")); err != nil {
			return err
		}
		in := k.incoming(d)
		if in.asset, err = newAsset(r, r.Param("name")); err != nil {
			return err
		}
		info := &in.asset.Info
		info.FileType = k.fileType
		if info.FileProperties, err = k.properties(d, in); err != nil {
			return err
		}
		for _, t := range []struct{ to, from *string }{{&info.LicenseID, p.LicenseID}, {&info.LicenseText, p.LicenseText}} {
			if t.from != nil {
				*t.to = *t.from
			}
		}
		if p.Tags != nil {
			info.Tags = *p.Tags
		}
		made, err := a.vault.CreateFile(r.Context(), r.Grant, in.asset, vault.FileSchema(in.atMost, in.compressed), k.described(in, d))
		if err != nil {
			return err
		}
		r.Found = a.recogniseNew(r, made)
		return noContent(w, nil)
	}
}

// described is the content of some code with its readme in the metadata, where the search finds it.
func (k codeKind) described(in *incoming, d codeDocument) vault.Content {
	c := in.content()
	describe := c.Describe
	c.Describe = func(n uint64, head []byte) ([]format.MetadataEntry, error) {
		entries, err := describe(n, head)
		var readme string
		if err := errors.Join(err, d.read("readme", &readme)); err != nil || readme == "" {
			return entries, err
		}
		return append(entries, textEntries("readme", readme)...), nil
	}
	return c
}

// stored reads the document in the array of a request.
func (a *API) storedCode(r *web.Request, g access.Grant) (codeDocument, error) {
	at, err := interval(r)
	if err != nil {
		return codeDocument{}, err
	}
	f, err := a.vault.OpenFile(r.Context(), g, asset(r), at)
	if err != nil {
		return codeDocument{}, err
	}
	if f.NBytes > maxCode {
		return codeDocument{}, fmt.Errorf("%w: it holds %d bytes, which is no code", vault.ErrNotFile, f.NBytes)
	}
	body, err := io.ReadAll(&fileReader{ctx: r.Context(), file: f})
	if err != nil {
		return codeDocument{}, err
	}
	d, err := parseCode(body)
	if err != nil {
		return d, fmt.Errorf("%w: %w", vault.ErrNotFile, err)
	}
	return d, nil
}

// getCode answers the code of a request, as it was at the end_timestamp of the address if there is one, under the name that it
// has now.
func (a *API) getCode(k codeKind) web.Handler {
	return func(w http.ResponseWriter, r *web.Request) error {
		d, err := a.storedCode(r, r.Grant)
		if err != nil {
			return err
		}
		x, out := asset(r), d
		if len(k.shown) > 0 {
			out = codeDocument{values: map[string]json.RawMessage{}}
			for _, name := range k.shown {
				if d.has(name) {
					out.set(name, d.values[name])
				}
			}
		}
		id := map[string]string{catalog.FunctionType: "id", catalog.GraphType: "uuid"}[k.fileType]
		texts := [][2]string{{id, x.ID}, {"namespace", x.Namespace}, {"name", x.Name}}
		if x.Info.LicenseID != "" || x.Info.LicenseText != "" {
			texts = append(texts, [2]string{"license_id", x.Info.LicenseID}, [2]string{"license_text", x.Info.LicenseText})
		}
		for _, t := range texts {
			if err := out.setText(t[0], t[1]); err != nil {
				return err
			}
		}
		tags, err := json.Marshal(append([]string{}, x.Info.Tags...))
		if err != nil {
			return err
		}
		out.set("tags", tags)
		w.Header().Set("Content-Type", codeType)
		return web.Send(w, r, http.StatusOK, web.Bytes(out.bytes()))
	}
}

// updateAction says whether an update changes the code or only what is said about it.
func (k codeKind) updateAction(r *web.Request) (access.Action, error) {
	body, err := r.ReadBody()
	if err != nil {
		return access.NoAction, err
	}
	d, err := parseCode(body)
	if err != nil {
		return access.NoAction, err
	}
	r.Decoded = d
	if slices.ContainsFunc(k.content, d.has) {
		return access.ArrayWrite, nil
	}
	return access.ArrayDescribe, nil
}

// updateCode stores a new version of some code, and changes what is said about it. Another name in it renames. A function's
// members that are absent or null stay as they were; a graph is replaced.
func (a *API) updateCode(k codeKind) web.Handler {
	return func(w http.ResponseWriter, r *web.Request) error {
		d := r.Decoded.(codeDocument) // by updateAction
		p, err := k.patch(d)
		if err := errors.Join(err, k.check(d)); err != nil {
			return err
		}
		var in *incoming
		if r.Action == access.ArrayWrite {
			if d, err = a.merged(r, k, d); err != nil {
				return err
			}
			in = k.incoming(d)
			properties, err := k.properties(d, in)
			if err != nil {
				return err
			}
			p.FileProperties = &properties
		}
		describe, err := access.Allowed(r.Subject, access.ArrayDescribe, r.Object)
		if err != nil {
			return err
		}
		if p.Name != nil && *p.Name == "" {
			p.Name = nil
		}
		// What can be refused comes first: a name that is taken leaves the code as it was.
		if r.Found, err = a.catalog.Update(r.Context(), describe, asset(r), p); err != nil || in == nil {
			return noContent(w, err)
		}
		if err := a.vault.WriteFile(context.WithoutCancel(r.Context()), r.Grant, asset(r), k.described(in, d)); err != nil {
			return err
		}
		a.recogniseNew(r, asset(r))
		return noContent(w, nil)
	}
}

// merged is the document to store for an update.
func (a *API) merged(r *web.Request, k codeKind, d codeDocument) (codeDocument, error) {
	if len(k.shown) == 0 {
		return d, nil
	}
	read, err := access.Allowed(r.Subject, access.ArrayRead, r.Object)
	if err != nil {
		return d, err
	}
	old, err := a.storedCode(r, read)
	if err != nil {
		return d, err
	}
	for _, name := range d.names {
		if d.has(name) {
			old.set(name, d.values[name])
		}
	}
	return old, nil
}

// codeSharing is the published shape of a share of some code.
type codeSharing struct {
	Actions       []string `json:"actions"`
	Namespace     string   `json:"namespace"`
	NamespaceType string   `json:"namespace_type,omitempty"`
	noPolicy
}

func (a *API) codeSharings(k codeKind) web.Handler {
	return func(w http.ResponseWriter, r *web.Request) error {
		list, err := a.catalog.Sharings(r.Context(), r.Grant, asset(r))
		if err != nil {
			return err
		}
		out := []codeSharing{}
		for _, s := range list {
			one := codeSharing{Actions: []string{}, Namespace: s.Namespace, NamespaceType: namespaceType(s.Organization)}
			if s.Rights.Has(access.CanRead) {
				one.Actions = append(one.Actions, k.fetch)
			}
			if s.Rights.Has(access.CanEdit) {
				one.Actions = append(one.Actions, k.share)
			}
			out = append(out, one)
		}
		return web.JSON(w, r, http.StatusOK, out)
	}
}

func (a *API) shareCode(k codeKind) web.Handler {
	return func(w http.ResponseWriter, r *web.Request) error {
		var want codeSharing
		if err := r.DecodeJSON(&want); err != nil {
			return err
		}
		if err := want.refused(); err != nil {
			return err
		}
		var rights access.Rights
		for _, name := range want.Actions {
			switch name {
			case k.fetch:
				rights |= access.CanRead
			case k.share:
				rights |= access.CanEdit
			default:
				return fmt.Errorf("%w: unknown action %q; the actions are %s and %s", web.ErrBadRequest, name, k.fetch, k.share)
			}
		}
		if want.Namespace == "" {
			return fmt.Errorf("%w: say to which namespace", account.ErrNotFound)
		}
		return noContent(w, a.share(r, want.Namespace, catalog.NewShare{Rights: rights}))
	}
}

// stats answers what the engine counted since the server began, as one text of JSON (published as the counters of libtiledb).
func (a *API) stats(w http.ResponseWriter, r *web.Request) error {
	text, err := json.Marshal(map[string]any{"cache": a.vault.CacheCounts(), "queries": a.vault.Queue()})
	if err != nil {
		return err
	}
	return web.JSON(w, r, http.StatusOK, map[string]string{"stats": string(text)})
}

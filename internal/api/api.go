// Package api holds the REST operations: one table of rows, one file per resource. Package web runs the checks of each
// row before its handler; handlers reach stored data only through the views of package vault, made with the request's
// grant.
package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"azulejo/array"
	"azulejo/condition"
	"azulejo/consolidate"
	"azulejo/filter"
	"azulejo/format"
	"azulejo/fragment"
	"azulejo/group"
	"azulejo/internal/access"
	"azulejo/internal/account"
	"azulejo/internal/activity"
	"azulejo/internal/catalog"
	"azulejo/internal/credential"
	"azulejo/internal/factor"
	"azulejo/internal/gate"
	"azulejo/internal/invite"
	"azulejo/internal/letters"
	"azulejo/internal/mail"
	"azulejo/internal/part"
	"azulejo/internal/pool"
	"azulejo/internal/repeat"
	"azulejo/internal/spool"
	"azulejo/internal/token"
	"azulejo/internal/upload"
	"azulejo/internal/usage"
	"azulejo/internal/vault"
	"azulejo/internal/web"
	"azulejo/internal/wire"
	"azulejo/label"
	"azulejo/metadata"
	"azulejo/query"
	"azulejo/schema"
)

// API answers the operations. It is safe for concurrent use.
type API struct {
	accounts *account.Accounts
	tokens   *token.Tokens
	catalog  *catalog.Catalog
	invites  *invite.Invitations
	secrets  *credential.Credentials
	factors  *factor.Factors
	letters  *letters.Letters
	vault    *vault.Vault
	uses     *activity.Uses
	usage    *usage.Usage
	key      []byte
	limits   Limits
	spool    *spool.Dir
	repeats  *repeat.Writes
}

// Limits bound what requests may hold.
type Limits struct {
	// MessageBytes bounds the cells in a request body; the message before them may add a little.
	MessageBytes int64
	// SpoolFrom is the size in bytes from which cells are kept in a file and not in memory, 0 for the usual one.
	SpoolFrom int64
	// SignUp says who may make an account; the zero value is InviteOnly.
	SignUp SignUp
	// Endpoints are hosts that users may name as endpoints of object stores though they are in private networks.
	Endpoints []string
}

// Parts are what the operations work on. Key is the secret that seals resume positions, at least 32 bytes.
type Parts struct {
	Accounts *account.Accounts
	Tokens   *token.Tokens
	Catalog  *catalog.Catalog
	Invites  *invite.Invitations
	Secrets  *credential.Credentials
	Factors  *factor.Factors
	Letters  *letters.Letters
	Vault    *vault.Vault
	Uses     *activity.Uses
	// Usage counts what is done at whose cost; nil counts nothing.
	Usage  *usage.Usage
	Key    []byte
	Limits Limits
	// Spool keeps cells that are too many for memory.
	Spool *spool.Dir
	// Repeats remembers writes until their replies were sent.
	Repeats *repeat.Writes
}

// New returns the operations over their parts.
func New(p Parts) *API {
	return &API{accounts: p.Accounts, tokens: p.Tokens, catalog: p.Catalog, vault: p.Vault, uses: p.Uses, usage: p.Usage, key: p.Key, limits: p.Limits, spool: p.Spool, repeats: p.Repeats,
		invites: p.Invites, secrets: p.Secrets, factors: p.Factors, letters: p.Letters}
}

// Operations returns the table: every operation that is served.
func (a *API) Operations() []web.Operation {
	var ops []web.Operation
	for _, list := range [][]web.Operation{a.arrayOps(), a.maintenanceOps(), a.queryOps(), a.catalogOps(), a.groupOps(), a.tokenOps(), a.userOps(),
		a.organizationOps(), a.sharingOps(), a.groupCatalogOps(), a.assetOps(),
		a.activityOps(), a.favoriteOps(), a.invitationOps(), a.credentialOps(), a.factorOps(), a.fileOps(), a.notebookOps(), a.previewOps(), a.codeOps(), a.usageOps(), a.laterOps()} {
		ops = append(ops, list...)
	}
	return ops
}

// errMediaType is the class of bodies in a form that is not served.
var errMediaType = errors.New("unsupported media type")

// Classes maps the errors of the engine and the protocol to replies. Their texts can name local paths, which clients must
// not see: public takes them out.
func Classes() []web.Class {
	return []web.Class{
		{Err: usage.ErrSpent, Status: http.StatusPaymentRequired, Code: 4021},
		{Err: usage.ErrMany, Status: http.StatusRequestEntityTooLarge, Code: 4134},
		{Err: errPreview, Status: http.StatusRequestEntityTooLarge, Code: 4133},
		{Err: vault.ErrNotFile, Status: http.StatusBadRequest, Code: 4116},
		{Err: vault.ErrTooLong, Status: http.StatusBadRequest, Code: 4117},
		{Err: errMediaType, Status: http.StatusUnsupportedMediaType, Code: 4151},
		{Err: part.ErrInvalid, Status: http.StatusBadRequest, Code: 4120},
		{Err: query.ErrRestricted, Status: http.StatusForbidden, Code: 4031, Message: func(error) string {
			return "the part of the array that is shared to you is not there at this time; ask the owner to share it anew"
		}},
		{Err: credential.ErrNotFound, Status: http.StatusNotFound, Code: 4047},
		{Err: credential.ErrExists, Status: http.StatusConflict, Code: 4094},
		{Err: credential.ErrRole, Status: http.StatusNotImplemented, Code: 5106},
		{Err: credential.ErrConnection, Status: http.StatusBadRequest, Code: 4123},
		{Err: credential.ErrInvalid, Status: http.StatusBadRequest, Code: 4118},
		{Err: account.ErrNoService, Status: http.StatusNotFound, Code: 4049},
		{Err: letters.ErrNoServer, Status: http.StatusNotImplemented, Code: 5105},
		{Err: letters.ErrAddress, Status: http.StatusBadRequest, Code: 4121},
		{Err: mail.ErrFull, Status: http.StatusServiceUnavailable, Code: 5031},
		{Err: invite.ErrNotFound, Status: http.StatusNotFound, Code: 4046},
		{Err: invite.ErrOver, Status: http.StatusGone, Code: 4119},
		{Err: invite.ErrMany, Status: http.StatusTooManyRequests, Code: 4292},
		{Err: wire.ErrTooLarge, Status: http.StatusRequestEntityTooLarge, Code: 4131, Message: public},
		{Err: wire.ErrMalformed, Status: http.StatusBadRequest, Code: 4101, Message: public},
		{Err: wire.ErrUnsupported, Status: http.StatusNotImplemented, Code: 5101, Message: public},
		{Err: array.ErrSnapshotLost, Status: http.StatusGone, Code: 4102, Message: public},
		{Err: array.ErrHolds, Status: http.StatusTooManyRequests, Code: 4291, Message: func(error) string {
			return "too many incomplete reads of this array are under way; end some of them, or try again when they have ended by themselves"
		}},
		{Err: array.ErrNotFound, Status: http.StatusNotFound, Code: 4103, Message: func(error) string {
			return "the array is in the catalogue but not in storage any more; deregister it or bring its files back"
		}},
		{Err: group.ErrNotFound, Status: http.StatusNotFound, Code: 4104, Message: public},
		{Err: array.ErrExists, Status: http.StatusConflict, Code: 4105, Message: public},
		{Err: group.ErrExists, Status: http.StatusConflict, Code: 4105, Message: public},
		{Err: array.ErrUnsupported, Status: http.StatusNotImplemented, Code: 5102, Message: public},
		{Err: group.ErrUnsupported, Status: http.StatusNotImplemented, Code: 5102, Message: public},
		{Err: array.ErrKey, Status: http.StatusBadRequest, Code: 4111, Message: badKey},
		{Err: group.ErrKey, Status: http.StatusBadRequest, Code: 4111, Message: badKey},
		{Err: filter.ErrUnsupported, Status: http.StatusNotImplemented, Code: 5102, Message: public},
		{Err: array.ErrCorrupt, Status: http.StatusInternalServerError, Code: 5103, Message: corrupt},
		{Err: group.ErrCorrupt, Status: http.StatusInternalServerError, Code: 5103, Message: corrupt},
		{Err: filter.ErrCorrupt, Status: http.StatusInternalServerError, Code: 5103, Message: corrupt},
		{Err: fragment.ErrCorrupt, Status: http.StatusInternalServerError, Code: 5103, Message: corrupt},
		{Err: format.ErrCorrupt, Status: http.StatusInternalServerError, Code: 5103, Message: corrupt},
		{Err: filter.ErrUnfilterable, Status: http.StatusBadRequest, Code: 4106, Message: public},
		{Err: pool.ErrBudget, Status: http.StatusRequestEntityTooLarge, Code: 4132, Message: func(error) string {
			return "the query needs more memory than the server gives to one; ask for fewer cells or fields, or raise query-memory"
		}},
		{Err: gate.ErrBusy, Status: http.StatusServiceUnavailable, Code: 5032, RetryAfter: 1, Message: func(error) string {
			return "too many queries wait already; nothing was done: try again in a moment"
		}},
		{Err: upload.ErrGone, Status: http.StatusGone, Code: 4114, Message: public},
		{Err: upload.ErrConflict, Status: http.StatusConflict, Code: 4115, Message: public},
		{Err: upload.ErrCorrupt, Status: http.StatusInternalServerError, Code: 5104, Message: public},
		{Err: consolidate.ErrBusy, Status: http.StatusConflict, Code: 4111, Message: public},
		{Err: consolidate.ErrInvalid, Status: http.StatusBadRequest, Code: 4112, Message: public},
		{Err: label.ErrEmpty, Status: http.StatusBadRequest, Code: 4113, Message: public},
		{Err: label.ErrOrder, Status: http.StatusInternalServerError, Code: 5103, Message: public},
		{Err: query.ErrInvalid, Status: http.StatusBadRequest, Code: 4107, Message: public},
		{Err: condition.ErrInvalid, Status: http.StatusBadRequest, Code: 4108, Message: public},
		{Err: schema.ErrInvalid, Status: http.StatusBadRequest, Code: 4109, Message: public},
		{Err: metadata.ErrInvalid, Status: http.StatusBadRequest, Code: 4110, Message: public},
		{Err: group.ErrInvalid, Status: http.StatusBadRequest, Code: 4110, Message: public},
		{Err: array.ErrInvalid, Status: http.StatusBadRequest, Code: 4110, Message: public},
	}
}

// badKey tells what to do where a key is missing or wrong.
func badKey(err error) string {
	return public(err) + "; what is encrypted is registered with its encryption_key, of 32 bytes"
}

// findNamespace looks up the namespace of a path.
func (a *API) findNamespace(r *web.Request) (access.Object, error) {
	n, err := a.accounts.Namespace(r.Context(), r.Param("namespace"))
	if err != nil {
		return access.Object{}, err
	}
	return access.Object{Kind: access.Namespace, ID: n.ID, NamespaceID: n.ID}, nil
}

// findArray looks up the array of a path, by name, UUID or storage URI.
func (a *API) findArray(r *web.Request) (access.Object, error) {
	return a.find(r, r.Param("array"), catalog.Array)
}

// findGroup looks up the group of a path.
func (a *API) findGroup(r *web.Request) (access.Object, error) {
	return a.find(r, r.Param("group"), catalog.Group)
}

func (a *API) find(r *web.Request, ref string, kind catalog.Kind) (access.Object, error) {
	found, err := a.lookup(r.Context(), r.Param("namespace"), ref, kind)
	if err != nil {
		return access.Object{}, err
	}
	if found.Part() != "" && !slices.Contains(onParts, r.Action) {
		return access.Object{}, catalog.ErrNotFound
	}
	r.Found = found
	return found.Object(), nil
}

// onParts are what may be done with the array of a label inside another array.
var onParts = []access.Action{access.ArrayRead, access.ArraySchema, access.ArrayWrite}

// lookup returns the asset of a kind; one of another kind counts as absent.
func (a *API) lookup(ctx context.Context, namespace, ref string, kind catalog.Kind) (catalog.Asset, error) {
	n, err := a.accounts.Namespace(ctx, namespace)
	if err != nil {
		return catalog.Asset{}, err
	}
	found, err := a.catalog.Resolve(ctx, n.ID, ref)
	if err == nil && found.Kind != kind {
		err = catalog.ErrNotFound
	}
	return found, err
}

// asset returns what find found.
func asset(r *web.Request) catalog.Asset { return r.Found.(catalog.Asset) }

// sendMessage sends one whole Cap'n Proto message.
func sendMessage(w http.ResponseWriter, r *web.Request, body []byte) error {
	w.Header().Set("Content-Type", "application/capnp")
	return web.Send(w, r, http.StatusOK, web.Bytes(body))
}

// send sends the answer to a query. It is whole before its first byte goes out.
func send(w http.ResponseWriter, r *web.Request, reply *wire.Reply) error {
	w.Header().Set("Content-Type", "application/capnp")
	return web.Send(w, r, http.StatusOK, reply)
}

// answer does an operation whose request and reply are one message each. The body is empty when the request has none; no
// reply at all is 204.
type answer func(r *web.Request, body []byte) (reply []byte, err error)

// form says which messages an operation takes and answers, for clients that want them as JSON.
type form struct{ request, reply wire.Kind }

// messages is the handler of an answer.
func (a *API) messages(f form, do answer) web.Handler {
	return func(w http.ResponseWriter, r *web.Request) error {
		body, leave, err := a.heldMessage(r, f.request)
		if err != nil {
			return err
		}
		defer leave()
		reply, err := do(r, body)
		if err != nil {
			return err
		}
		if reply == nil {
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
		write := wire.ToJSON
		if !wantsJSON(r) {
			if !cloudWantsJSON(r) {
				return sendMessage(w, r, reply)
			}
			write = wire.ToCloudJSON
		}
		text, err := write(reply, f.reply)
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", "application/json")
		return web.Send(w, r, http.StatusOK, web.Bytes(text))
	}
}

// wantsJSON tells whether a client sends its messages as JSON, and wants the replies so: the type of what it sends is all that it says,
// of requests without a body too. Clients of the cloud's API say the same with every GET, so there it counts for libtiledb only.
func wantsJSON(r *web.Request) bool {
	return isJSON(r) && (r.Method != http.MethodGet || r.Header.Get("X-Tiledb-Version") != "")
}

// cloudWantsJSON tells whether a client of the cloud's API asks for a message as JSON: it names that first of the types it
// accepts. libtiledb, which says its version, may do so too.
func cloudWantsJSON(r *web.Request) bool {
	accept := r.Header.Get("Accept")
	first, _, _ := strings.Cut(accept, ",")
	kind, _, _ := mime.ParseMediaType(first)
	return r.Method == http.MethodGet && r.Header.Get("X-Tiledb-Version") == "" && kind == "application/json"
}

// message reads a request body that is one message, of the given kind if it comes as JSON. Of a long one the rest is left.
func (a *API) message(r *web.Request, kind wire.Kind) ([]byte, error) {
	// Memory is taken by what the request says only as far as that is little.
	body := bytes.NewBuffer(make([]byte, 0, min(max(r.ContentLength, 0), usualMessage)+bytes.MinRead))
	if !wantsJSON(r) {
		_, err := body.ReadFrom(io.LimitReader(r.Body, maxOpen))
		return body.Bytes(), err
	}
	n, err := body.ReadFrom(io.LimitReader(r.Body, maxJSON+1))
	switch {
	case err != nil || n == 0 || kind == wire.NoMessage:
		return nil, err
	case n > maxJSON:
		return nil, &wire.Error{Err: wire.ErrTooLarge}
	}
	return wire.FromJSON(body.Bytes(), kind)
}

// heldMessage is message of any length, for who has a grant: a long message waits in turn for the memory that it and what
// is made of it take, which leave gives back.
func (a *API) heldMessage(r *web.Request, kind wire.Kind) (body []byte, leave func(), err error) {
	leave = func() {}
	if wantsJSON(r) {
		body, err = a.message(r, kind)
		return body, leave, err
	}
	head := bytes.NewBuffer(make([]byte, 0, min(max(r.ContentLength, 0), usualMessage)+bytes.MinRead))
	if n, err := head.ReadFrom(io.LimitReader(r.Body, freeMessage)); err != nil || n < freeMessage {
		return head.Bytes(), leave, err
	}
	n := r.ContentLength
	if n < 0 {
		n = wire.MaxQueryMessage
	}
	if leave, err = a.vault.Hold(r.Context(), r.Grant, 3*n); err != nil {
		return nil, nil, err
	}
	if _, err = head.ReadFrom(r.Body); err != nil {
		leave()
	}
	return head.Bytes(), leave, err
}

const (
	// usualMessage is a size in bytes that few messages pass, freeMessage one that needs no permission.
	usualMessage, freeMessage = 64 << 10, 1 << 20
	// maxOpen is the size in bytes of the message that opens an array, which is little but the client's configuration;
	// maxJSON bounds a message that comes as JSON.
	maxOpen, maxJSON = 16 << 20, 16 << 20
)

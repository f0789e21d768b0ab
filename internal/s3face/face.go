package s3face

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"azulejo/internal/access"
	"azulejo/internal/account"
	"azulejo/internal/vault"
	"azulejo/internal/web"
)

// Face answers the operations. It is safe for concurrent use.
type Face struct {
	accounts *account.Accounts
	vault    *vault.Vault
	// patience is how long a client is left without a byte while its call is done.
	patience time.Duration
}

// New returns the operations over the files of a vault.
func New(accounts *account.Accounts, v *vault.Vault) *Face {
	return &Face{accounts: accounts, vault: v, patience: time.Second}
}

const (
	root     = "/v4/files"
	onBucket = root + "/{namespace}"
	onKey    = onBucket + "/*"
	// maxFile is the length of a file that comes in one request, as Amazon has it, with what the encoding adds.
	maxFile = 5<<30 + 64<<20
	// maxXML is the length of a body of XML: 10,000 parts, or 1,000 keys.
	maxXML = 8 << 20
)

// call is one of the operations that share a method and a form of path; the parameters and headers tell which it is.
type call struct {
	action access.Action
	when   func(r *web.Request) bool
	do     web.Handler
}

// has tells calls that have all of some parameters.
func has(names ...string) func(*web.Request) bool {
	return func(r *web.Request) bool {
		for _, n := range names {
			if !r.Query().Has(n) {
				return false
			}
		}
		return true
	}
}

func always(*web.Request) bool { return true }

func copies(r *web.Request) bool { return r.Header.Get(copySource) != "" }

func copiesPart(r *web.Request) bool { return copies(r) && has("partNumber", "uploadId")(r) }

func isDelete(r *web.Request) bool { return has("delete")(r) }

// Operations returns the table.
func (f *Face) Operations() []web.Operation {
	return []web.Operation{
		{ID: "s3ListBuckets", Method: http.MethodGet, Path: root, Action: access.CatalogRead, Handle: f.listBuckets, Fault: fault, AccessKey: true},
		f.row("s3GetBucket", http.MethodGet, onBucket, call{access.FileRead, has("location"), f.location}, call{access.FileRead, always, f.list}),
		f.row("s3HeadBucket", http.MethodHead, onBucket, call{access.FileRead, always, f.headBucket}),
		f.row("s3PutBucket", http.MethodPut, onBucket, call{access.FileWrite, always, func(http.ResponseWriter, *web.Request) error { return errOwned }}),
		f.row("s3DeleteBucket", http.MethodDelete, onBucket, call{access.FileDelete, always, func(http.ResponseWriter, *web.Request) error { return errNotServed }}),
		f.row("s3PostBucket", http.MethodPost, onBucket, call{access.FileDelete, isDelete, f.deleteObjects}),
		f.row("s3GetObject", http.MethodGet, onKey, call{access.FileWrite, has("uploadId"), f.listParts}, call{access.FileRead, always, f.getObject}),
		f.row("s3HeadObject", http.MethodHead, onKey, call{access.FileRead, always, f.getObject}),
		f.row("s3PutObject", http.MethodPut, onKey, call{access.FileWrite, copiesPart, f.copyPart}, call{access.FileWrite, has("partNumber", "uploadId"), f.uploadPart},
			call{access.FileWrite, copies, f.copyObject}, call{access.FileWrite, always, f.putObject}),
		f.row("s3PostObject", http.MethodPost, onKey, call{access.FileWrite, has("uploads"), f.beginUpload}, call{access.FileWrite, has("uploadId"), f.completeUpload}),
		f.row("s3DeleteObject", http.MethodDelete, onKey, call{access.FileWrite, has("uploadId"), f.abortUpload}, call{access.FileDelete, always, f.deleteObject}),
	}
}

// row is the row of calls with one method and form of path: the first that the request fits counts.
func (f *Face) row(id, method, path string, calls ...call) web.Operation {
	op := web.Operation{ID: id, Method: method, Path: path, Action: calls[0].action, MaxBody: maxFile, Find: f.find, Fault: fault, AccessKey: true, RawBody: true}
	for _, c := range calls[1:] {
		op.Also = append(op.Also, c.action)
	}
	op.Refine = func(r *web.Request) (access.Action, error) {
		for _, c := range calls {
			if c.when(r) && served(r) {
				r.Decoded = c.do
				return c.action, nil
			}
		}
		return access.NoAction, errNotServed
	}
	op.Handle = func(w http.ResponseWriter, r *web.Request) error {
		if err := readable(r); err != nil {
			return err
		}
		w.Header().Set("X-Amz-Request-Id", r.ID)
		return r.Decoded.(web.Handler)(w, r)
	}
	return op
}

// unserved are parameters that make a request one that is not served; without a look at them it would do something else.
var unserved = []string{"acl", "accelerate", "analytics", "attributes", "cors", "encryption", "intelligent-tiering", "inventory", "legal-hold", "lifecycle", "logging",
	"metrics", "notification", "object-lock", "ownershipControls", "policy", "policyStatus", "publicAccessBlock", "renameObject", "replication", "requestPayment", "restore",
	"retention", "select", "session", "tagging", "torrent", "versionId", "versioning", "versions", "website", "uploads"}

func served(r *web.Request) bool {
	for _, name := range unserved {
		if r.Query().Has(name) && (name != "uploads" || r.Method != http.MethodPost) {
			return false
		}
	}
	return true
}

// target is the file that a request is about.
type target struct {
	namespace account.Namespace
	// key is the one of the path, "" for a bucket. fault is set when it cannot be a key.
	key   string
	fault error
}

// find looks up the namespace of a request, and what its key, or the prefix of a listing, belongs to.
func (f *Face) find(r *web.Request) (access.Object, error) {
	n, err := f.accounts.Namespace(r.Context(), r.Param("namespace"))
	if err != nil {
		return access.Object{}, err
	}
	t := target{namespace: n}
	if r.Param("*") == "" {
		r.Found = t
		prefix := r.Query().Get("prefix")
		prefix = prefix[:strings.LastIndexByte(prefix, '/')+1]
		return f.files(r).Find(r.Context(), n.ID, prefix)
	}
	t.key, t.fault = keyOf(r.URL)
	r.Found = t
	return f.files(r).Find(r.Context(), n.ID, t.key)
}

// keyOf returns the key of a path. The router takes a slash off its end, which here makes a difference.
func keyOf(u *url.URL) (string, error) {
	path := strings.TrimPrefix(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	_, key, _ := strings.Cut(strings.TrimPrefix(path, root[1:]+"/"), "/")
	key, err := url.PathUnescape(key)
	if err != nil {
		return "", bad("InvalidURI", "the key is not percent-encoded properly")
	}
	return key, nil
}

// readable refuses a request whose key could not be read.
func readable(r *web.Request) error { return r.Found.(target).fault }

func at(r *web.Request) target { return r.Found.(target) }

// files returns the files as the caller may see them.
func (f *Face) files(r *web.Request) *vault.Files { return f.vault.Files(r.Subject) }

// send writes a reply of XML.
func send(w http.ResponseWriter, v any) error {
	text, err := xml.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("Content-Length", strconv.Itoa(len(xml.Header)+len(text)))
	_, err = io.WriteString(w, xml.Header)
	if err == nil {
		_, err = w.Write(text)
	}
	return err
}

// decode reads a body of XML into v.
func decode(r *web.Request, v any) error {
	b, err := newBody(r, maxXML)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(b)
	if err != nil {
		return err
	}
	d := xml.NewDecoder(strings.NewReader(string(text)))
	if err := d.Decode(v); err != nil {
		return errMalformed
	}
	return nil
}

// slowly does work that can take long and answers what it returns. A client that has waited for a while gets blanks, so that
// it does not give up; what goes wrong then stands in the reply, as S3's own clients expect.
func (f *Face) slowly(w http.ResponseWriter, r *web.Request, work func(ctx context.Context) (any, error)) error {
	type outcome struct {
		v   any
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		v, err := work(r.Context())
		done <- outcome{v, err}
	}()
	beat := time.NewTicker(f.patience)
	defer beat.Stop()
	begun := false
	for {
		select {
		case o := <-done:
			if !begun && o.err != nil {
				return o.err
			}
			if !begun {
				return send(w, o.v)
			}
			return finishSlowly(w, r, o.v, o.err)
		case <-beat.C:
			blank := " "
			if !begun {
				begun, blank = true, xml.Header+" "
				w.Header().Set("Content-Type", "application/xml")
			}
			if _, err := io.WriteString(w, blank); err == nil {
				err = http.NewResponseController(w).Flush()
				if err != nil && !errors.Is(err, http.ErrNotSupported) {
					o := <-done // the client is gone, which ends the work
					return errors.Join(err, o.err)
				}
			}
		}
	}
}

// finishSlowly ends a reply of which the beginning is out.
func finishSlowly(w http.ResponseWriter, r *web.Request, v any, err error) error {
	if err != nil {
		v = bodyOf(r, told(failure(err)))
	}
	text, encodeErr := xml.Marshal(v)
	if encodeErr != nil {
		return encodeErr
	}
	_, writeErr := w.Write(text)
	return writeErr
}

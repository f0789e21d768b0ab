// Package web is the rim of the server: it turns HTTP requests into calls of
// operations and their errors into replies.
//
// Every operation of the API and of the console is one row, an Operation. For
// each request the same steps run, in this order:
//
//  1. route: the row and the parameters of the path, each unescaped once (404, 405)
//  2. authenticate: the credential gives an access.Subject        (401, 429)
//  3. scope: may a token of this scope make this kind of call     (403)
//  4. find: the row's Find looks up what the call is about
//  5. allow: may the subject see it (404), may it do this to it (403);
//     the answer is an access.Grant
//  6. built: a row without a handler                               (501)
//  7. handle: the row's handler, which gets the Grant in its Request
//
// Handlers never decide who may do what. What a handler does to stored data it
// does through a view that package api opens with the Request's Grant; the
// Grant is the only key to a storage location (catalog.Catalog.Locate).
//
// Exactly one function, reply, turns an error into a status, a message for the
// client and a line in the log. Errors nobody classified become a bare 500 with
// a request id.
package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"azulejo/internal/access"
	"azulejo/internal/account"
	"azulejo/internal/factor"
	"azulejo/internal/token"
)

// Handler does one operation. It may write a reply and return nil, or return an
// error before it has written anything. An error after the first byte breaks
// the connection off, so that the client cannot take half a reply for a whole.
type Handler func(w http.ResponseWriter, r *Request) error

// Operation is one row of the table of operations.
type Operation struct {
	// ID is unique; it is the operation's published identifier if it has one.
	// Metrics and logs are labelled with it.
	ID string
	// Method and Path are what it answers to. Path is a chi pattern matched
	// against the escaped path, for example "/v1/arrays/{namespace}/{array}". A
	// slash behind the path of a request makes no difference.
	Method, Path string
	// Action says what the operation does, for package access. Mandatory.
	Action access.Action
	// Refine names the action of this very request, where it depends on a
	// parameter or on the body (query type, open mode). It runs after
	// authentication, before any look-up. It returns Action or one of Also.
	Refine func(*Request) (access.Action, error)
	// Also lists the other actions that Refine may return.
	Also []access.Action
	// Find looks up the object of the call and may keep it in Request.Found.
	// An error of a not-found class counts as an object that does not exist. Nil
	// is for actions on the caller's own account, on the server or on nothing.
	Find func(*Request) (access.Object, error)
	// Gone, if not nil, answers a call whose object is not there for the caller if that is so because the same caller made
	// the same call before; else it reports false. It gets no grant.
	Gone func(http.ResponseWriter, *Request) (answered bool, err error)
	// Handle does it. Nil means that the operation is not built: it goes through
	// all the checks and then answers 501.
	Handle Handler
	// MaxBody is the greatest length of the request body in bytes; 0 means the
	// server's limit for JSON.
	MaxBody int64
	// Page marks a page of the console rather than a call of the API: the
	// session cookie counts on a link from elsewhere too, and the headers allow
	// the page its own styles and scripts.
	Page bool
	// Secret marks a path whose last segment may be a secret; it is not logged.
	Secret bool
	// AccessKey lets a token come as the access key of a signature for S3, and only on such rows.
	AccessKey bool
	// RawBody leaves the Content-Encoding of the body to the handler.
	RawBody bool
	// Fault writes the reply to a failed call of a protocol that has errors of its own form, with the status it chooses. Nil
	// means the published JSON.
	Fault func(w http.ResponseWriter, r *Request, f Failure)
}

// Failure is what the client is to learn of an error.
type Failure struct {
	Status  int
	Message string
	// Err is the error itself, to be told by its class; its text is not for the client.
	Err error
}

// Options is what a Server is made of. Tokens, Accounts, Log and Now are
// mandatory.
type Options struct {
	Now      func() time.Time
	Log      *slog.Logger
	Tokens   *token.Tokens
	Accounts *account.Accounts
	// Factors are the second factors of users. Nil means that there are none.
	Factors *factor.Factors
	Metrics *Metrics
	// MaxJSON is the length of a body of a row without MaxBody, in bytes.
	MaxJSON int64
	// Compression says which replies may be compressed, Pace how fast clients must be.
	Compression Compression
	Pace        Pace
	// ErrorPage writes the body of a reply to a failed request for a page of the
	// console; the status and the headers are the server's. Nil means JSON.
	ErrorPage func(w io.Writer, r *Request, status int, message string)
	// Context, if not nil, makes the context of each request from the
	// connection's.
	Context func(context.Context) context.Context
	// Admit, if not nil, is asked before a call that is allowed is done. Its error refuses it.
	Admit func(r *Request) error
	// Done, if not nil, is told of every call of an operation that was done, with the bytes of the reply and of the request.
	Done func(r *Request, sent, received int64)
	// Regions are the addresses of the servers that store what this one does not, by the name of the region. A call that needs such
	// storage is sent there by a redirect, never to another address.
	Regions map[string]string
	// Classes are error classes of packages this one does not know, such as the
	// array engine's. They are looked at before web's own.
	Classes []Class
}

// Server answers HTTP requests by the table of operations. It is safe for
// concurrent use.
type Server struct {
	Options
	mux     *chi.Mux
	ops     map[string]*Operation // by method, blank, pattern
	classes []Class
	csrf    *http.CrossOriginProtection
	codings codings
}

var _ http.Handler = (*Server)(nil)

const defaultMaxJSON = 4 << 20

// New checks the table and returns the server. A row without a valid action, a
// row whose action is about an object that it does not look up, and two rows for
// the same method and path are errors: the server does not start with them.
func New(o Options, table []Operation) (*Server, error) {
	s := &Server{Options: o, mux: chi.NewRouter(), ops: map[string]*Operation{}, csrf: http.NewCrossOriginProtection(), codings: newCodings()}
	if s.MaxJSON == 0 {
		s.MaxJSON = defaultMaxJSON
	}
	if s.Metrics == nil {
		s.Metrics = NewMetrics()
	}
	s.classes = slices.Concat(o.Classes, classes)
	var faults []error
	ids := map[string]bool{}
	for i := range table {
		op := &table[i]
		if err := s.add(op, ids); err != nil {
			faults = append(faults, fmt.Errorf("operation %q (%s %s): %w", op.ID, op.Method, op.Path, err))
		}
	}
	return s, errors.Join(faults...)
}

func (s *Server) add(op *Operation, ids map[string]bool) error {
	key := op.Method + " " + op.Path
	switch {
	case op.ID == "" || ids[op.ID]:
		return errors.New("the identifier is empty or used twice")
	case !slices.Contains(methods, op.Method):
		return errors.New("unknown method")
	case !strings.HasPrefix(op.Path, "/") || len(op.Path) > 1 && strings.HasSuffix(op.Path, "/"):
		return errors.New("the path must begin with a slash and not end with one")
	case s.ops[key] != nil:
		return errors.New("another operation has this method and path")
	}
	for _, a := range append([]access.Action{op.Action}, op.Also...) {
		if !a.Valid() {
			return errors.New("it has no action")
		}
		if op.Find == nil && needsFind(a) {
			return fmt.Errorf("its action %s is about an object, but it does not look one up", a)
		}
	}
	if len(op.Also) > 0 && op.Refine == nil {
		return errors.New("it lists more actions but nothing chooses among them")
	}
	ids[op.ID], s.ops[key] = true, op
	s.mux.MethodFunc(op.Method, op.Path, func(http.ResponseWriter, *http.Request) {})
	return nil
}

// needsFind reports whether an action is about something that has to be looked
// up, as opposed to the caller, the server or nothing.
func needsFind(a access.Action) bool {
	return slices.ContainsFunc(a.On(), func(k access.ObjectKind) bool { return k != access.Self && k != access.Server })
}

// Operations returns the table, ordered by path and method, for tests and for
// documentation.
func (s *Server) Operations() []Operation {
	list := make([]Operation, 0, len(s.ops))
	for _, op := range s.ops {
		list = append(list, *op)
	}
	slices.SortFunc(list, func(a, b Operation) int {
		return strings.Compare(a.Path+" "+a.Method, b.Path+" "+b.Method)
	})
	return list
}

// NewHTTPServer returns an HTTP server for h with limits on what a client may
// take before its request is complete. There is no limit on how long a call may
// run: queries and code take their time. It speaks HTTP/1.1 and HTTP/2, the
// latter also without TLS for clients that begin with it.
func NewHTTPServer(h http.Handler, log *slog.Logger) *http.Server {
	var spoken http.Protocols
	spoken.SetHTTP1(true)
	spoken.SetHTTP2(true)
	spoken.SetUnencryptedHTTP2(true)
	return &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		Protocols: &spoken, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
}

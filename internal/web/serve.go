package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"azulejo/internal/access"
	"azulejo/internal/account"
	"azulejo/internal/activity"
	"azulejo/internal/catalog"
	"azulejo/internal/token"
)

// ServeHTTP answers one request by the steps of the package comment.
func (s *Server) ServeHTTP(plain http.ResponseWriter, req *http.Request) {
	start := time.Now()
	if s.Context != nil {
		req = req.WithContext(s.Context(req.Context()))
	}
	m := s.route(req.Method, req.URL)
	r := &Request{Request: req, ID: uuid.NewString(), Op: m.op, params: m.params}
	r.origin = activity.Origin{Address: address(req), Agent: req.UserAgent(), RequestID: r.ID}
	if s.Compression.compresses(req) {
		r.codings = s.codings
	}
	w := &recorder{ResponseWriter: plain, control: http.NewResponseController(plain), pace: s.Pace}
	defer s.Metrics.begin()()
	defer s.finish(w, r, start)
	setHeaders(w.Header(), r)
	if m.op == nil {
		if len(m.allow) > 0 && req.Method == http.MethodOptions {
			w.Header().Set("Allow", strings.Join(m.allow, ", "))
			w.WriteHeader(http.StatusNoContent)
			return
		}
		if len(m.allow) > 0 {
			s.reply(w, r, fmt.Errorf("%w: it answers to %s", errMethod, strings.Join(m.allow, ", ")))
			return
		}
		s.reply(w, r, errNoRoute)
		return
	}
	err := s.run(w, r)
	if err == nil {
		err = w.settle()
	}
	if err != nil {
		if w.status != 0 { // too late for an error: break off, so that the reply is not taken for whole
			s.Log.LogAttrs(req.Context(), slog.LevelError, "reply broken off", slog.String("request", r.ID), slog.String("error", err.Error()))
			panic(http.ErrAbortHandler)
		}
		s.reply(w, r, err)
	} else if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
}

// run does the steps from authentication to the handler.
func (s *Server) run(w *recorder, r *Request) error {
	if tokenInQuery(r) {
		return errTokenInURL
	}
	if r.Op.Page && s.csrf.Check(r.Request) != nil {
		return errCrossSite
	}
	if err := s.identify(r); err != nil {
		return err
	}
	if err := s.limitBody(w, r); err != nil {
		return err
	}
	if err := s.mayBegin(r); err != nil {
		return err
	}
	if err := s.refine(r); err != nil {
		return err
	}
	if err := s.mayDo(r, r.Action); err != nil {
		return err
	}
	if err := s.find(r); err != nil {
		return err
	}
	var err error
	if r.Grant, err = access.Allowed(r.Subject, r.Action, r.Object); err != nil {
		if !errors.Is(err, access.ErrNotFound) {
			return err
		}
		if r.Op.Gone != nil {
			if answered, err := r.Op.Gone(w, r); answered || err != nil {
				return err
			}
		}
		return r.notFound()
	}
	if r.Op.Handle == nil {
		return fmt.Errorf("%s is %w", r.Op.ID, access.ErrNotBuilt)
	}
	if s.Admit != nil {
		if err := s.Admit(r); err != nil {
			return err
		}
	}
	return r.Op.Handle(w, r)
}

// identify sets the subject. For an operation that needs nobody a credential
// that is not valid does no harm, and on an API route it is not even looked at.
func (s *Server) identify(r *Request) error {
	open := r.Op.Action.Open()
	if open && !r.Op.Page && r.Op.Action != access.SignUp {
		return nil
	}
	sub, err := s.authenticate(r)
	if err != nil && !open {
		return err
	}
	if sub.UserID != "" {
		if sub.Memberships, err = s.Accounts.Memberships(r.Context(), sub.UserID); err != nil {
			return err
		}
	}
	r.Subject = sub
	if r.Method != http.MethodGet && r.Method != http.MethodHead { // of what changes nothing no line of the audit log is made
		r.Request = r.WithContext(activity.As(r.Context(), sub.UserID, sub.TokenID, r.origin))
	}
	if !open && sub.Kind == access.Anonymous {
		return access.ErrUnauthenticated
	}
	return nil
}

// mayBegin refuses a credential whose scope allows none of the row's actions,
// before the body is looked at to choose among them.
func (s *Server) mayBegin(r *Request) error {
	for _, a := range r.Op.Also {
		if access.ScopeAllows(r.Subject, a) == nil {
			return nil
		}
	}
	return s.mayDo(r, r.Op.Action)
}

// mayDo asks whether the credential's scope allows an action, and notes a
// refusal in the audit log.
func (s *Server) mayDo(r *Request, a access.Action) error {
	err := access.ScopeAllows(r.Subject, a)
	if errors.Is(err, access.ErrScope) {
		s.Tokens.Denied(r.Subject, a, r.origin)
	}
	return err
}

// limitBody refuses a body that says it is too long before reading any of it, one that does not say so as soon as it is,
// also when it is compressed, and one that comes too slowly.
func (s *Server) limitBody(w *recorder, r *Request) error {
	limit := r.Op.MaxBody
	if limit == 0 {
		limit = s.MaxJSON
	}
	if r.ContentLength > limit {
		return &http.MaxBytesError{Limit: limit}
	}
	if s.Pace.Rate > 0 && r.ContentLength != 0 {
		r.Body = &pacedBody{ReadCloser: r.Body, pace: s.Pace, control: w.control}
	}
	r.received = &countedBody{ReadCloser: r.Body}
	r.Body = http.MaxBytesReader(w.ResponseWriter, r.received, limit)
	coding := strings.Join(r.Header.Values("Content-Encoding"), ",")
	if coding == "" || r.Op.RawBody {
		return nil
	}
	body, err := decodeBody(coding, r.Body)
	if err != nil {
		return err
	}
	if body != r.Body {
		r.Body, r.ContentLength = http.MaxBytesReader(w.ResponseWriter, body, limit), -1
	}
	return nil
}

func (s *Server) refine(r *Request) error {
	r.Action = r.Op.Action
	if r.Op.Refine == nil {
		return nil
	}
	a, err := r.Op.Refine(r)
	if err != nil {
		return err
	}
	if a != r.Op.Action && !slices.Contains(r.Op.Also, a) {
		return fmt.Errorf("operation %s chose the action %s, which its row does not list", r.Op.ID, a)
	}
	r.Action = a
	return nil
}

// find sets the object of the call. Whatever was not found is the zero object,
// which nobody may see.
func (s *Server) find(r *Request) error {
	if r.Op.Find == nil {
		switch on := r.Action.On(); {
		case slices.Contains(on, access.Self):
			r.Object = access.Object{Kind: access.Self, ID: r.Subject.UserID}
		case slices.Contains(on, access.Server):
			r.Object = access.Object{Kind: access.Server}
		}
		return nil
	}
	o, err := r.Op.Find(r)
	for _, missing := range []error{access.ErrNotFound, catalog.ErrNotFound, account.ErrNotFound, token.ErrNotFound} {
		if errors.Is(err, missing) {
			o, err = access.Object{}, nil
		}
	}
	r.Object = o
	return err
}

// notFound says the same of what does not exist and of what the caller may not
// see.
func (r *Request) notFound() error {
	names := make([]string, len(r.params))
	for i, p := range r.params {
		names[i] = p.value
	}
	if len(names) == 0 {
		return access.ErrNotFound
	}
	return fmt.Errorf("%w: %s does not exist, or you may not see it", access.ErrNotFound, strings.Join(names, "/"))
}

// finish catches a panic, counts the request and writes its line in the log.
func (s *Server) finish(w *recorder, r *Request, start time.Time) {
	failure := recover()
	aborted := failure == http.ErrAbortHandler || failure != nil && w.status != 0
	if failure != nil && failure != http.ErrAbortHandler {
		s.Log.LogAttrs(r.Context(), slog.LevelError, "panic", slog.String("request", r.ID), slog.String("value", fmt.Sprint(failure)),
			slog.String("stack", string(debug.Stack())))
		if w.status == 0 {
			s.reply(w, r, errors.New("panic"))
		}
	}
	took := time.Since(start)
	id := "none"
	if r.Op != nil {
		id = r.Op.ID
	}
	if s.Done != nil && r.Op != nil && w.status < 400 && !aborted && failure == nil && r.received != nil {
		s.Done(r, w.bytes, r.received.n)
	}
	s.Metrics.end(id, r.Method, w.status, w.bytes, took)
	s.Log.LogAttrs(context.WithoutCancel(r.Context()), slog.LevelInfo, "request", slog.String("request", r.ID), slog.String("method", r.Method),
		slog.String("operation", id), slog.String("path", logPath(r)), slog.Int("status", w.status), slog.Int64("bytes", w.bytes),
		slog.Duration("took", took), slog.String("address", r.origin.Address), slog.String("user", r.Subject.Namespace),
		slog.String("token", r.Subject.TokenID), slog.Bool("aborted", aborted))
	if aborted {
		panic(http.ErrAbortHandler)
	}
}

// logPath is the escaped path without anything that is or might be a secret. The
// query string is never logged.
func logPath(r *Request) string {
	path := r.URL.EscapedPath()
	cut := strings.LastIndexByte(strings.TrimSuffix(path, "/"), '/') + 1
	if r.Op != nil && r.Op.Secret {
		return path[:cut] + "REDACTED"
	}
	if plain, err := url.PathUnescape(path); err != nil || token.Contains(plain) {
		return "REDACTED"
	}
	return path
}

package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"azulejo/internal/access"
	"azulejo/internal/account"
	"azulejo/internal/activity"
	"azulejo/internal/catalog"
	"azulejo/internal/db"
	"azulejo/internal/factor"
	"azulejo/internal/token"
)

// Class maps a class of errors to a reply. The first class of the table for
// which errors.Is holds counts.
type Class struct {
	Err    error
	Status int
	// Code is the number in the reply, stable over releases.
	Code int64
	// Message is what the client reads. Nil means the error's own text, which
	// then must hold nothing internal.
	Message func(error) string
	// RetryAfter is after how many seconds trying again may help; 0 says nothing.
	RetryAfter int
}

var (
	errTokenInURL = errors.New("a token must not stand in the address: send it in the header X-TILEDB-REST-API-KEY and revoke this one")
	errNoRoute    = errors.New("there is no such address on this server")
	errMethod     = errors.New("this address does not answer to this method")
	errNeedsToken = errors.New("this account has a second factor, so its password alone opens nothing: create an API token in Settings > API tokens and send that")
	errCrossSite  = errors.New("the form was sent from another site")
)

func fixed(text string) func(error) string { return func(error) string { return text } }

// classes is web's own table. Codes are grouped by hundreds of the status.
var classes = []Class{
	{Err: access.ErrUnauthenticated, Status: 401, Code: 4011,
		Message: fixed("no valid credential: log in, or send a token from Settings > API tokens in the header X-TILEDB-REST-API-KEY")},
	{Err: token.ErrRateLimited, Status: 429, Code: 4291},
	{Err: token.ErrUnauthorized, Status: 401, Code: 4012, Message: unauthorized},
	{Err: errNeedsToken, Status: 401, Code: 4014},
	{Err: ErrNeedsCode, Status: 401, Code: 4015},
	{Err: factor.ErrCode, Status: 401, Code: 4016},
	{Err: factor.ErrNone, Status: 404, Code: 4048},
	{Err: factor.ErrExists, Status: 409, Code: 4095},
	{Err: account.ErrCredentials, Status: 401, Code: 4013},
	{Err: access.ErrScope, Status: 403, Code: 4031},
	{Err: access.ErrDenied, Status: 403, Code: 4032},
	{Err: catalog.ErrNotOwned, Status: 403, Code: 4033},
	{Err: errCrossSite, Status: 403, Code: 4034},
	{Err: errNoRoute, Status: 404, Code: 4041},
	{Err: access.ErrNotFound, Status: 404, Code: 4042},
	{Err: catalog.ErrNotFound, Status: 404, Code: 4042},
	{Err: account.ErrNotFound, Status: 404, Code: 4042},
	{Err: activity.ErrNotFound, Status: 404, Code: 4045},
	{Err: account.ErrNoMember, Status: 404, Code: 4044},
	{Err: token.ErrNotFound, Status: 404, Code: 4043},
	{Err: errMethod, Status: 405, Code: 4051},
	{Err: errSlow, Status: 408, Code: 4081},
	{Err: errCoding, Status: 415, Code: 4152},
	{Err: catalog.ErrExists, Status: 409, Code: 4091},
	{Err: account.ErrExists, Status: 409, Code: 4091},
	{Err: account.ErrLastOwner, Status: 409, Code: 4092},
	{Err: account.ErrInUse, Status: 409, Code: 4093},
	{Err: errTokenInURL, Status: 400, Code: 4002},
	{Err: ErrBadRequest, Status: 400, Code: 4001},
	{Err: token.ErrInvalid, Status: 400, Code: 4003},
	{Err: access.ErrUnknownScope, Status: 400, Code: 4003},
	{Err: account.ErrInvalid, Status: 400, Code: 4004},
	{Err: catalog.ErrInvalid, Status: 400, Code: 4005},
	{Err: catalog.ErrUnsupported, Status: 501, Code: 5012},
	{Err: db.ErrText, Status: 400, Code: 4006, Message: fixed("a text in the request is not UTF-8 or has a zero byte")},
	{Err: db.ErrUnavailable, Status: 503, Code: 5031, RetryAfter: 2, Message: fixed("the metadata database cannot be reached; nothing was changed: try again in a moment")},
	{Err: access.ErrNotBuilt, Status: 501, Code: 5011},
	{Err: context.Canceled, Status: statusClientGone, Code: 4991, Message: fixed("the client went away")},
	{Err: context.DeadlineExceeded, Status: 504, Code: 5041, Message: fixed("the call took too long")},
}

// statusClientGone is logged for a request whose client hung up; nobody reads it.
const statusClientGone = 499

// unauthorized is the same text for all secrets that never were tokens of ours;
// the more precise ones follow the class behind a colon.
func unauthorized(err error) string {
	if err.Error() == token.ErrUnauthorized.Error() {
		return "the token is not valid: create a new one in Settings > API tokens"
	}
	return err.Error()
}

// errorBody is the published shape of an error.
type errorBody struct {
	Code      int64  `json:"code"`
	Message   string `json:"message"`
	RequestID string `json:"request_id"`
}

// classify finds status, code and message for an error, and the seconds after which to try again, 0 for never. Of an unclassified
// error the client learns nothing but the request id.
func (s *Server) classify(err error, id string) (status int, body errorBody, retryAfter int) {
	var long *http.MaxBytesError
	if errors.As(err, &long) {
		return http.StatusRequestEntityTooLarge, errorBody{4131, fmt.Sprintf("the body is longer than the %d bytes allowed here", long.Limit), id}, 0
	}
	var elsewhere *catalog.ElsewhereError
	if errors.As(err, &elsewhere) {
		if s.Regions[elsewhere.Region] != "" {
			return http.StatusTemporaryRedirect, errorBody{3071, err.Error() + ": ask the server that Location names", id}, 0
		}
		return http.StatusMisdirectedRequest, errorBody{4211, err.Error() + ", and this server was not told the address of that region's", id}, 0
	}
	for _, c := range s.classes {
		if !errors.Is(err, c.Err) {
			continue
		}
		message := ""
		if c.Message != nil {
			message = c.Message(err)
		} else {
			message, _, _ = strings.Cut(err.Error(), "\n") // what was joined behind it is for the log
		}
		return c.Status, errorBody{c.Code, token.Redact(message), id}, c.RetryAfter
	}
	return http.StatusInternalServerError, errorBody{5001, "internal error; the server's log has more under request id " + id, id}, 0
}

// reply is the one place where an error becomes a reply. It sends Location
// only to a region's server that the operator named, and 503 and Retry-After only where nothing was changed and it can
// succeed soon: clients repeat that, and follow the other.
// It returns the status it chose.
func (s *Server) reply(w *recorder, r *Request, err error) int {
	status, body, again := s.classify(err, r.ID)
	h := w.Header()
	clear(h)
	setHeaders(h, r)
	if elsewhere := (*catalog.ElsewhereError)(nil); status == http.StatusTemporaryRedirect && errors.As(err, &elsewhere) {
		h.Set("Location", s.Regions[elsewhere.Region]+r.URL.RequestURI())
	}
	if again > 0 {
		h.Set("Retry-After", strconv.Itoa(again))
	}
	if r.Op != nil && r.Op.Fault != nil {
		r.Op.Fault(w, r, Failure{status, body.Message, err})
		s.logFailure(r, w.status, err)
		return w.status
	}
	s.logFailure(r, status, err)
	if status == http.StatusMethodNotAllowed {
		h.Set("Allow", strings.Join(s.route(r.Method, r.URL).allow, ", "))
	}
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="azulejo"`)
	}
	if s.ErrorPage != nil && r.page() {
		h.Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			s.ErrorPage(w, r, status, body.Message)
		}
		return status
	}
	text, jsonErr := json.Marshal(body)
	if jsonErr != nil {
		status, text = http.StatusInternalServerError, []byte(`{"code":5001,"message":"internal error","request_id":""}`)
	}
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		w.Write(text) // best effort: the client may be gone, and there is nothing else to tell it
	}
	return status
}

// page reports whether a person in a browser reads the reply: to a page of the console, or at an address that is nothing at all.
func (r *Request) page() bool {
	if r.Op != nil {
		return r.Op.Page
	}
	return r.Method == http.MethodGet && strings.HasPrefix(r.Header.Get("Accept"), "text/html") && !apiAddress.MatchString(r.URL.Path)
}

// apiAddress is the begin of every address of the API.
var apiAddress = regexp.MustCompile(`^/v[0-9]`)

// logFailure writes why a request failed, as an error if it is the server's.
func (s *Server) logFailure(r *Request, status int, err error) {
	level := slog.LevelDebug
	if status >= 500 && status != http.StatusNotImplemented {
		level = slog.LevelError
	}
	s.Log.LogAttrs(r.Context(), level, "request failed", slog.String("request", r.ID), slog.Int("status", status), slog.String("error", err.Error()))
}

// setHeaders sets what every reply carries.
func setHeaders(h http.Header, r *Request) {
	h.Set("X-Request-Id", r.ID)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	if r.TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	if r.page() {
		h.Set("Content-Security-Policy", "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "+
			"form-action 'self'; frame-ancestors 'none'")
		return
	}
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
}

package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"azulejo/internal/access"
	"azulejo/internal/activity"
)

// ErrBadRequest is the class of requests that cannot be understood. Its message
// goes to the client.
var ErrBadRequest = errors.New("bad request")

// Request is one call of an operation. The embedded http.Request's body is
// limited; its path is the raw one, so use Param.
type Request struct {
	*http.Request
	// ID is the request id, which the reply and the log carry.
	ID string
	// Op is the row being done.
	Op *Operation
	// Subject is who asks.
	Subject access.Subject
	// Action is the row's action, or what its Refine made of it.
	Action access.Action
	// Object is what Find found; it is zero for "no such thing".
	Object access.Object
	// Grant is the permission to do Action to Object. It is zero in Refine and
	// Find, which run before it is given.
	Grant access.Grant
	// Found is for Find to keep what it looked up, and for Refine what it
	// decoded.
	Found, Decoded any

	// Payer is the UUID of the namespace at whose cost the call is, as Admit found it; it may be empty.
	Payer string

	params []param
	// received counts the body as it comes.
	received *countedBody
	origin   activity.Origin
	query    url.Values
	// codings are how replies to it may be compressed, nil for not at all.
	codings codings
}

// Query returns the parameters behind the question mark, which are taken apart at the first call. They are shared: nobody
// may modify them.
func (r *Request) Query() url.Values {
	if r.query == nil {
		r.query = r.URL.Query()
	}
	return r.query
}

// Param returns a parameter of the path, unescaped once, or "" if the row has
// none of that name. A parameter of the row is never empty.
func (r *Request) Param(name string) string {
	for _, p := range r.params {
		if p.key == name {
			return p.value
		}
	}
	return ""
}

// Origin returns from where the request came, for the audit log.
func (r *Request) Origin() activity.Origin { return r.origin }

// Flag returns a query parameter as a boolean, false if it is absent. Clients
// send True as well as true. The error is of class ErrBadRequest.
func (r *Request) Flag(name string) (bool, error) {
	text := r.Query().Get(name)
	if text == "" {
		return false, nil
	}
	v, err := strconv.ParseBool(strings.ToLower(text))
	if err != nil {
		return false, fmt.Errorf("%w: %s=%q is neither true nor false", ErrBadRequest, name, text)
	}
	return v, nil
}

// Number returns a query parameter as a non-negative whole number, or def if it
// is absent. The error is of class ErrBadRequest.
func (r *Request) Number(name string, def uint64) (uint64, error) {
	text := r.Query().Get(name)
	if text == "" {
		return def, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: %s=%q is not a whole number between 0 and 2^64-1", ErrBadRequest, name, text)
	}
	return n, nil
}

// DecodeJSON reads the body as one JSON value into v. An empty body leaves v as
// it is: clients send none where everything is optional. Unknown members are
// ignored. The error is of class ErrBadRequest, or says that the body is too
// long.
func (r *Request) DecodeJSON(v any) error {
	body, err := r.ReadBody()
	if err != nil {
		return err
	}
	return ParseJSON(body, v)
}

// ReadBody reads all of the body, whose length is limited. The error is of class ErrBadRequest, or says that the body is too
// long.
func (r *Request) ReadBody() ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, bodyError(err)
	}
	return body, nil
}

// ParseJSON is DecodeJSON for a body that was read.
func ParseJSON(body []byte, v any) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%w: the body is not the JSON that is expected here: %w", ErrBadRequest, err)
	}
	return nil
}

// bodyError tells a body that is too long from one that the client broke off.
func bodyError(err error) error {
	var long *http.MaxBytesError
	if errors.As(err, &long) {
		return err
	}
	return fmt.Errorf("%w: the body ended early", ErrBadRequest)
}

// JSON writes v as the reply. Nothing is written if v cannot be encoded.
func JSON(w http.ResponseWriter, r *Request, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("reply: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	return Send(w, r, status, Bytes(body))
}

// address is the peer's IP address without port.
func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// recorder watches what a handler writes. It takes a Location header out of
// replies below 300: libtiledb would send everything that follows there.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
	// control reaches the connection, pace is what the client must keep, waited how long it was waited for.
	control *http.ResponseController
	pace    Pace
	waited  time.Duration
}

func (w *recorder) WriteHeader(status int) {
	if w.status != 0 {
		return
	}
	if status < 300 {
		w.Header().Del("Location")
	}
	if status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.pace.Rate > 0 && w.bytes+int64(len(p)) > patient {
		return w.pacedWrite(p)
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// countedBody counts what is read of a body.
type countedBody struct {
	io.ReadCloser
	n int64
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	return n, err
}

package s3face

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"azulejo/internal/access"
	"azulejo/internal/catalog"
	"azulejo/internal/vault"
	"azulejo/internal/web"
	"azulejo/vfs"
)

// Error is an error as S3 tells it.
type Error struct {
	Status  int
	Code    string
	Message string
}

// Error returns code and message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

func bad(code, format string, args ...any) error {
	return &Error{http.StatusBadRequest, code, fmt.Sprintf(format, args...)}
}

var (
	errNoSuchKey   = &Error{http.StatusNotFound, "NoSuchKey", "there is no file with this key"}
	errNoUpload    = &Error{http.StatusNotFound, "NoSuchUpload", "there is no such upload for this key; it was ended, or nobody touched it for a week"}
	errFailed      = &Error{http.StatusPreconditionFailed, "PreconditionFailed", "the file is not as the request demands"}
	errOccupied    = &Error{http.StatusConflict, "KeyOccupied", "a file is where the key needs a directory, or a directory where it needs a file: keys are stored as paths"}
	errMalformed   = &Error{http.StatusBadRequest, "MalformedXML", "the body is not the XML that is expected here"}
	errNotServed   = &Error{http.StatusBadRequest, "NotImplemented", "this part of S3 is not served here"}
	errIncomplete  = &Error{http.StatusBadRequest, "IncompleteBody", "the body is not as long as the request says"}
	errNotModified = &Error{http.StatusNotModified, "NotModified", ""}
	errOwned       = &Error{http.StatusConflict, "BucketAlreadyOwnedByYou", "the namespace exists; namespaces are made with their users"}
)

// classes are the errors of the layers below, as far as S3 has words of its own for them.
var classes = []struct {
	class error
	is    *Error
}{
	{vfs.ErrNotExist, errNoSuchKey},
	{vfs.ErrExist, errOccupied},
	{vault.ErrNoUpload, errNoUpload},
}

// byStatus are codes for all other errors.
var byStatus = map[int]string{
	http.StatusBadRequest: "InvalidRequest", http.StatusUnauthorized: "InvalidAccessKeyId", http.StatusForbidden: "AccessDenied",
	http.StatusNotFound: "NoSuchBucket", http.StatusMethodNotAllowed: "MethodNotAllowed", http.StatusConflict: "OperationAborted",
	http.StatusRequestEntityTooLarge: "EntityTooLarge", http.StatusTooManyRequests: "TooManyRequests", http.StatusNotImplemented: "NotImplemented",
}

// told returns an error as S3 tells it. f is what package web makes of it.
func told(f web.Failure) *Error {
	var own *Error
	if errors.As(f.Err, &own) {
		return own
	}
	for _, c := range classes {
		if errors.Is(f.Err, c.class) {
			return c.is
		}
	}
	switch {
	case errors.Is(f.Err, vault.ErrPart):
		return &Error{http.StatusBadRequest, "InvalidPart", "a part was not uploaded, or is another one now"}
	case errors.Is(f.Err, catalog.ErrInvalid):
		return &Error{http.StatusBadRequest, "InvalidArgument", f.Message}
	case errors.Is(f.Err, access.ErrNotFound):
		return &Error{http.StatusNotFound, "NoSuchBucket", "there is no such namespace, or you may not see it"}
	}
	code, ok := byStatus[f.Status]
	switch {
	case !ok:
		return &Error{f.Status, "InternalError", f.Message}
	case f.Status == http.StatusNotImplemented, f.Status == http.StatusRequestEntityTooLarge:
		return &Error{http.StatusBadRequest, code, f.Message}
	}
	return &Error{f.Status, code, f.Message}
}

// failure is what package web makes of the errors that one of several files can give.
func failure(err error) web.Failure {
	f := web.Failure{Status: http.StatusInternalServerError, Message: "internal error; the server's log has more", Err: err}
	for class, status := range map[error]int{access.ErrDenied: http.StatusForbidden, access.ErrScope: http.StatusForbidden, catalog.ErrNotOwned: http.StatusForbidden,
		catalog.ErrInvalid: http.StatusBadRequest} {
		if errors.Is(err, class) {
			f.Status, f.Message = status, err.Error()
		}
	}
	return f
}

// errorBody is the XML of an error.
type errorBody struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string
	Message   string
	Resource  string
	RequestID string `xml:"RequestId"`
}

func bodyOf(r *web.Request, e *Error) errorBody {
	return errorBody{Code: e.Code, Message: e.Message, Resource: r.URL.Path, RequestID: r.ID}
}

// fault answers a failed call.
func fault(w http.ResponseWriter, r *web.Request, f web.Failure) {
	e := told(f)
	h := w.Header()
	h.Set("X-Amz-Request-Id", r.ID)
	var out rangeError
	if errors.As(f.Err, &out) {
		h.Set("Content-Range", "bytes */"+strconv.FormatInt(out.nBytes, 10))
	}
	if e.Status == http.StatusNotModified || r.Method == http.MethodHead {
		w.WriteHeader(e.Status)
		return
	}
	text, err := xml.Marshal(bodyOf(r, e))
	if err != nil {
		text = []byte("<Error><Code>InternalError</Code></Error>")
	}
	h.Set("Content-Type", "application/xml")
	h.Set("Content-Length", strconv.Itoa(len(xml.Header)+len(text)))
	w.WriteHeader(e.Status)
	w.Write(append([]byte(xml.Header), text...)) // best effort: the client may be gone, and there is nothing else to tell it
}

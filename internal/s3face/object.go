package s3face

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"azulejo/internal/vault"
	"azulejo/internal/web"
	"azulejo/vfs"
)

// etag names a content of a file. It is no MD5, which the "-1" tells clients that would take it for one.
func etag(i vault.FileInfo) string {
	sum := sha256.Sum256([]byte(i.Version))
	return `"` + hex.EncodeToString(sum[:16]) + `-1"`
}

// getObject answers a file or a range of it, and to HEAD just what can be said about it.
func (f *Face) getObject(w http.ResponseWriter, r *web.Request) error {
	t := at(r)
	file, info, err := f.files(r).Open(r.Context(), t.namespace.ID, t.key)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := conditions(r.Header, "", info); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Accept-Ranges", "bytes")
	h.Set("ETag", etag(info))
	h.Set("Last-Modified", info.Modified.UTC().Format(http.TimeFormat))
	h.Set("Content-Type", "application/octet-stream")
	off, n, status := int64(0), info.NBytes, http.StatusOK
	if text := r.Header.Get("Range"); text != "" && rangeHolds(r.Header.Get("If-Range"), info) {
		lo, hi, ok, err := parseRange(text, info.NBytes)
		if err != nil {
			return err
		}
		if ok {
			off, n, status = lo, hi-lo+1, http.StatusPartialContent
			h.Set("Content-Range", "bytes "+strconv.FormatInt(lo, 10)+"-"+strconv.FormatInt(hi, 10)+"/"+strconv.FormatInt(info.NBytes, 10))
		}
	}
	h.Set("Content-Length", strconv.FormatInt(n, 10))
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	return vault.CopyFile(r.Context(), w, file, off, n)
}

func rangeHolds(condition string, info vault.FileInfo) bool {
	if condition == "" || condition == etag(info) {
		return true
	}
	since, err := http.ParseTime(condition)
	return err == nil && since.Equal(info.Modified.UTC().Truncate(time.Second))
}

// rangeError is a range that a file does not have.
type rangeError struct{ nBytes int64 }

// Error says so.
func (rangeError) Error() string { return "the range is not in the file" }

// Unwrap returns the error as S3 tells it.
func (rangeError) Unwrap() error {
	return &Error{http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "the range is not in the file"}
}

// parseRange reads a Range header with one range of a file and returns its first and last byte. What is not one range of
// bytes is not ok, and counts as if it was not there. A range that is behind the end is an error.
func parseRange(text string, nBytes int64) (lo, hi int64, ok bool, err error) {
	spec, found := strings.CutPrefix(text, "bytes=")
	first, last, dash := strings.Cut(strings.TrimSpace(spec), "-")
	if !found || !dash || first == "" && last == "" {
		return 0, 0, false, nil
	}
	number := func(text string, absent int64) int64 {
		if text == "" {
			return absent
		}
		n, err := strconv.ParseUint(text, 10, 63)
		if errors.Is(err, strconv.ErrRange) {
			n, err = 1<<62, nil
		}
		if err != nil || text[0] == '+' {
			return -1
		}
		return int64(n)
	}
	lo, hi = number(first, 0), number(last, nBytes-1)
	if first == "" { // the last bytes
		lo, hi = max(nBytes-hi, 0), nBytes-1
		if number(last, 0) == 0 {
			return 0, 0, false, rangeError{nBytes}
		}
	}
	if number(first, 0) < 0 || number(last, 0) < 0 || first != "" && last != "" && hi < lo {
		return 0, 0, false, nil
	}
	if lo >= nBytes {
		return 0, 0, false, rangeError{nBytes}
	}
	return lo, min(hi, nBytes-1), true, nil
}

// conditions checks the If-headers of a request, or those with a prefix about the source of a copy.
func conditions(h http.Header, prefix string, info vault.FileInfo) error {
	tag := etag(info)
	modified := info.Modified.UTC().Truncate(time.Second)
	if want := h.Get(prefix + "If-Match"); want != "" {
		if !matches(want, tag) {
			return errFailed
		}
	} else if since, err := http.ParseTime(h.Get(prefix + "If-Unmodified-Since")); err == nil && modified.After(since) {
		return errFailed
	}
	same := errNotModified
	if prefix != "" {
		same = errFailed
	}
	if not := h.Get(prefix + "If-None-Match"); not != "" {
		if matches(not, tag) {
			return same
		}
	} else if since, err := http.ParseTime(h.Get(prefix + "If-Modified-Since")); err == nil && !modified.After(since) {
		return same
	}
	return nil
}

// matches reports whether a list of tags has one.
func matches(list, tag string) bool {
	for part := range strings.SplitSeq(list, ",") {
		part = strings.TrimPrefix(strings.TrimSpace(part), "W/")
		if part == "*" || part == tag || `"`+part+`"` == tag {
			return true
		}
	}
	return false
}

// refused are headers that ask for what would not be done; to leave them out would not be honest.
var refused = []string{"X-Amz-Server-Side-Encryption", "X-Amz-Server-Side-Encryption-Customer-Algorithm", "X-Amz-Object-Lock-Mode", "X-Amz-Object-Lock-Legal-Hold",
	"X-Amz-Website-Redirect-Location", "X-Amz-Write-Offset-Bytes", "X-Amz-Copy-Source-Server-Side-Encryption-Customer-Algorithm"}

// writable looks at the headers of a request that makes a file. fresh says that there must be none.
func (f *Face) writable(r *web.Request) (fresh bool, err error) {
	for _, name := range refused {
		if r.Header.Get(name) != "" {
			return false, bad("NotImplemented", "%s is not served here", name)
		}
	}
	if acl := r.Header.Get("X-Amz-Acl"); strings.HasPrefix(acl, "public") {
		return false, bad("NotImplemented", "files are not made public by x-amz-acl: share the asset")
	}
	if want := r.Header.Get("If-Match"); want != "" {
		t := at(r)
		info, err := f.files(r).Stat(r.Context(), t.namespace.ID, t.key)
		if err != nil {
			return false, err
		}
		if !matches(want, etag(info)) {
			return false, errFailed
		}
	}
	return r.Header.Get("If-None-Match") == "*", nil
}

// failedFresh turns the error about a file that is there into the one of the condition that it must not be.
func failedFresh(fresh bool, err error) error {
	if fresh && errors.Is(err, vfs.ErrExist) {
		return errFailed
	}
	return err
}

// target of a writer of a file or a part.
type sink interface {
	io.Writer
	Commit(ctx context.Context) (vault.FileInfo, error)
	Abort() error
}

var (
	_ sink = (*vault.FileWriter)(nil)
	_ sink = (*vault.PartWriter)(nil)
)

// receive writes a request's body to a sink and publishes it when all of it has come and is right.
func receive(r *web.Request, b *body, w sink) (vault.FileInfo, error) {
	_, err := io.CopyBuffer(struct{ io.Writer }{w}, b, make([]byte, min(max(b.want, 512), readBytes)))
	if err != nil {
		return vault.FileInfo{}, errors.Join(err, w.Abort())
	}
	return w.Commit(r.Context())
}

func (f *Face) putObject(w http.ResponseWriter, r *web.Request) error {
	t := at(r)
	fresh, err := f.writable(r)
	if err != nil {
		return err
	}
	b, err := newBody(r, maxFile)
	if err != nil {
		return err
	}
	out, err := f.files(r).Write(r.Context(), vault.NewFile{NamespaceID: t.namespace.ID, Key: t.key, Fresh: fresh})
	if err != nil {
		return err
	}
	info, err := receive(r, b, out)
	if err != nil {
		return failedFresh(fresh, err)
	}
	acknowledge(w, r, info)
	return nil
}

// acknowledge tells the client which content it has written, with the digests that were found right.
func acknowledge(w http.ResponseWriter, r *web.Request, info vault.FileInfo) {
	w.Header().Set("ETag", etag(info))
	for name := range algorithms {
		if text := r.Header.Get(checksumPrefix + name); text != "" {
			w.Header().Set(checksumPrefix+name, text)
		}
	}
}

func (f *Face) deleteObject(w http.ResponseWriter, r *web.Request) error {
	t := at(r)
	if err := f.files(r).Remove(r.Context(), t.namespace.ID, t.key); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// copySource is the header that makes a PUT a copy.
const copySource = "X-Amz-Copy-Source"

// source finds the file that a copy is made of.
func (f *Face) source(r *web.Request) (vault.Source, error) {
	text := r.Header.Get(copySource)
	path, version, versioned := strings.Cut(text, "?versionId=")
	if versioned && version != "null" {
		return vault.Source{}, errNotServed
	}
	path, err := url.PathUnescape(path)
	if err != nil {
		return vault.Source{}, bad("InvalidArgument", "%s is not percent-encoded properly", copySource)
	}
	bucket, key, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !ok || key == "" {
		return vault.Source{}, bad("InvalidArgument", "%s is not bucket/key", copySource)
	}
	n, err := f.accounts.Namespace(r.Context(), bucket)
	return vault.Source{NamespaceID: n.ID, Key: key}, err
}

// copied is the reply to a copy.
type copied struct {
	XMLName      xml.Name `xml:"CopyObjectResult"`
	LastModified string
	ETag         string
}

func (f *Face) copyObject(w http.ResponseWriter, r *web.Request) error {
	t := at(r)
	fresh, err := f.writable(r)
	if err != nil {
		return err
	}
	from, err := f.source(r)
	if err != nil {
		return err
	}
	return f.slowly(w, r, func(ctx context.Context) (any, error) {
		open := func() (sink, error) {
			return f.files(r).Write(ctx, vault.NewFile{NamespaceID: t.namespace.ID, Key: t.key, Fresh: fresh, From: &from})
		}
		info, err := f.copy(ctx, r, from, "", open)
		return copied{LastModified: stamp(info.Modified), ETag: etag(info)}, failedFresh(fresh, err)
	})
}

// copy writes a file, or a range of it, to what open returns.
func (f *Face) copy(ctx context.Context, r *web.Request, from vault.Source, span string, open func() (sink, error)) (vault.FileInfo, error) {
	file, info, err := f.files(r).Open(ctx, from.NamespaceID, from.Key)
	if err != nil {
		return vault.FileInfo{}, err
	}
	defer file.Close()
	if err := conditions(r.Header, copySource+"-", info); err != nil {
		return vault.FileInfo{}, err
	}
	off, n := int64(0), file.Size()
	if span != "" {
		lo, hi, ok, err := parseRange(span, n)
		if err != nil || !ok {
			return vault.FileInfo{}, bad("InvalidArgument", "the range of the source is not one of its bytes")
		}
		off, n = lo, hi-lo+1
	}
	w, err := open()
	if err != nil {
		return vault.FileInfo{}, err
	}
	if err := vault.CopyFile(ctx, w, file, off, n); err != nil {
		return vault.FileInfo{}, errors.Join(err, w.Abort())
	}
	return w.Commit(ctx)
}

// stamp is a time as S3 writes it in XML.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

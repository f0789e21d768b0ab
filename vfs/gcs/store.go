package gcs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"azulejo/vfs"
	"azulejo/vfs/bucket"
)

// store implements bucket.Store.
type store struct {
	client   *http.Client
	endpoint string
	project  string
	// conditional is unset for servers that do not know preconditions.
	conditional bool
}

const octets = "application/octet-stream"

// request makes one request and returns its reply when its status is one of ok; the caller closes the body.
func (s *store) request(ctx context.Context, method, at string, query url.Values, head http.Header, body []byte, ok ...int) (*http.Response, error) {
	if query == nil {
		query = url.Values{}
	}
	if s.project != "" {
		query.Set("userProject", s.project)
	}
	if len(query) > 0 {
		at += "?" + query.Encode()
	}
	return s.send(ctx, method, at, head, body, ok...)
}

func (s *store) send(ctx context.Context, method, at string, head http.Header, body []byte, ok ...int) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, at, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, v := range head {
		req.Header[name] = v
	}
	resp, err := s.client.Do(req)
	if err != nil {
		if e := ctx.Err(); e != nil {
			return nil, e
		}
		return nil, bucket.Unanswered(err)
	}
	for _, status := range ok {
		if resp.StatusCode == status {
			return resp, nil
		}
	}
	defer resp.Body.Close()
	return nil, refusal(resp)
}

// refusal tells what a reply with another status means.
func refusal(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // best effort: the status alone says enough
	var reply struct {
		Error struct {
			Message string
			Errors  []struct{ Reason string }
		}
	}
	message, code := http.StatusText(resp.StatusCode), ""
	if json.Unmarshal(text, &reply) == nil && reply.Error.Message != "" {
		message = reply.Error.Message
		if len(reply.Error.Errors) > 0 {
			code = reply.Error.Errors[0].Reason
		}
	}
	f := bucket.Answered(resp.StatusCode, code, errors.New(message))
	if resp.StatusCode == http.StatusPreconditionFailed {
		f.Class = vfs.ErrExist
	}
	f.After = bucket.RetryAfter(resp.Header)
	return f
}

func (s *store) object(name, key string) string {
	return s.endpoint + "/storage/v1/b/" + url.PathEscape(name) + "/o/" + url.PathEscape(key)
}

// List implements bucket.Store. A token is the service's own.
func (s *store) List(ctx context.Context, name, prefix string, flat bool, token string) ([]bucket.Item, string, error) {
	query := url.Values{"prefix": {prefix}, "fields": {"items(name,size),prefixes,nextPageToken"}, "maxResults": {"1000"}}
	if !flat {
		query.Set("delimiter", "/")
	}
	if token != "" {
		query.Set("pageToken", token)
	}
	resp, err := s.request(ctx, http.MethodGet, s.endpoint+"/storage/v1/b/"+url.PathEscape(name)+"/o", query, nil, nil, http.StatusOK)
	if err != nil {
		return nil, token, err
	}
	defer resp.Body.Close()
	var page struct {
		Items []struct {
			Name string
			Size string
		}
		Prefixes      []string
		NextPageToken string
	}
	if err := json.NewDecoder(resp.Body).Decode(&page); err != nil {
		return nil, token, bucket.Unanswered(err)
	}
	items := make([]bucket.Item, 0, len(page.Items)+len(page.Prefixes))
	for _, it := range page.Items {
		n, err := strconv.ParseInt(it.Size, 10, 64)
		if err != nil {
			n = -1
		}
		items = append(items, bucket.Item{Key: it.Name, NBytes: n})
	}
	for _, p := range page.Prefixes {
		items = append(items, bucket.Item{Key: p})
	}
	return items, page.NextPageToken, nil
}

// Peek implements bucket.Store with the end of the object.
func (s *store) Peek(ctx context.Context, name, key string, n int) (bucket.Piece, error) {
	if n == 0 {
		return s.properties(ctx, name, key)
	}
	resp, err := s.request(ctx, http.MethodGet, s.object(name, key), url.Values{"alt": {"media"}},
		http.Header{"Range": {"bytes=-" + strconv.Itoa(n)}}, nil, http.StatusPartialContent, http.StatusOK)
	if err != nil {
		if f, ok := errors.AsType[*bucket.Fault](err); ok && f.Status == http.StatusRequestedRangeNotSatisfiable {
			return s.properties(ctx, name, key) // the object is empty
		}
		return bucket.Piece{}, err
	}
	defer resp.Body.Close()
	p := bucket.Piece{NBytes: resp.ContentLength, Tag: resp.Header.Get("X-Goog-Generation"), Writer: resp.Header.Get("X-Goog-Meta-" + bucket.MarkName)}
	if text := resp.Header.Get("Content-Range"); text != "" {
		if p.Off, p.NBytes, err = bucket.ContentRange(text); err != nil {
			return bucket.Piece{}, bucket.Unanswered(err)
		}
	}
	if p.NBytes < 0 || p.Tag == "" {
		return s.properties(ctx, name, key)
	}
	if p.NBytes-p.Off > int64(n) {
		return p, nil // a server that knows no such ranges begins to send all
	}
	p.Data = make([]byte, p.NBytes-p.Off)
	if _, err := io.ReadFull(resp.Body, p.Data); err != nil {
		return bucket.Piece{}, bucket.Unanswered(err)
	}
	return p, nil
}

func (s *store) properties(ctx context.Context, name, key string) (bucket.Piece, error) {
	resp, err := s.request(ctx, http.MethodGet, s.object(name, key), url.Values{"fields": {"size,generation,metadata"}}, nil, nil, http.StatusOK)
	if err != nil {
		return bucket.Piece{}, err
	}
	defer resp.Body.Close()
	var o struct {
		Size, Generation string
		Metadata         map[string]string
	}
	if err := json.NewDecoder(resp.Body).Decode(&o); err != nil {
		return bucket.Piece{}, bucket.Unanswered(err)
	}
	n, err := strconv.ParseInt(o.Size, 10, 64)
	if err != nil {
		return bucket.Piece{}, bucket.Unanswered(fmt.Errorf("a reply with the size %q", o.Size))
	}
	return bucket.Piece{NBytes: n, Tag: o.Generation, Writer: o.Metadata[bucket.MarkName]}, nil
}

// Read implements bucket.Store.
func (s *store) Read(ctx context.Context, name, key, tag string, p []byte, off int64) error {
	query := url.Values{"alt": {"media"}, "ifGenerationMatch": {tag}}
	resp, err := s.request(ctx, http.MethodGet, s.object(name, key), query,
		http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", off, off+int64(len(p))-1)}}, nil, http.StatusPartialContent, http.StatusOK)
	if err != nil {
		f, ok := errors.AsType[*bucket.Fault](err)
		if ok && (f.Class == vfs.ErrExist || f.Class == vfs.ErrNotExist || f.Status == http.StatusRequestedRangeNotSatisfiable) {
			f.Class = bucket.ErrChanged
		}
		return err
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("X-Goog-Generation"); got != "" && got != tag {
		return &bucket.Fault{Class: bucket.ErrChanged, Err: errors.New("another generation")}
	}
	if resp.ContentLength != int64(len(p)) {
		return bucket.Unanswered(fmt.Errorf("%d bytes came where %d were asked for", resp.ContentLength, len(p)))
	}
	if _, err := io.ReadFull(resp.Body, p); err != nil {
		return bucket.Unanswered(err)
	}
	return nil
}

// deletes is how many objects are deleted at a time.
const deletes = 16

// Delete implements bucket.Store, one request an object.
func (s *store) Delete(ctx context.Context, name string, keys []string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(deletes)
	for _, key := range keys {
		group.Go(func() error {
			resp, err := s.request(ctx, http.MethodDelete, s.object(name, key), nil, nil, nil, http.StatusNoContent, http.StatusOK, http.StatusNotFound)
			if err != nil {
				return err
			}
			return resp.Body.Close()
		})
	}
	return group.Wait()
}

// upload implements bucket.Upload.
type upload struct {
	s                 *store
	name, key, writer string

	mu sync.Mutex
	// session is guarded by mu: the URL of a resumable upload once it began.
	session string
}

// Upload implements bucket.Store.
func (s *store) Upload(name, key, writer string) bucket.Upload {
	return &upload{s: s, name: name, key: key, writer: writer}
}

// resource is the JSON text of what the object is to be.
func (u *upload) resource() []byte {
	text, _ := json.Marshal(map[string]any{ // never fails: texts
		"name": u.key, "contentType": octets, "metadata": map[string]string{bucket.MarkName: u.writer},
	})
	return text
}

func (u *upload) query(kind string) url.Values {
	q := url.Values{"uploadType": {kind}, "name": {u.key}}
	if u.s.conditional {
		q.Set("ifGenerationMatch", "0")
	}
	return q
}

func (u *upload) address() string {
	return u.s.endpoint + "/upload/storage/v1/b/" + url.PathEscape(u.name) + "/o"
}

// begin starts a resumable upload, once.
func (u *upload) begin(ctx context.Context) (string, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.session != "" {
		return u.session, nil
	}
	head := http.Header{"Content-Type": {"application/json"}, "X-Upload-Content-Type": {octets}}
	resp, err := u.s.request(ctx, http.MethodPost, u.address(), u.query("resumable"), head, u.resource(), http.StatusOK, http.StatusCreated)
	if err != nil {
		return "", err
	}
	u.session = resp.Header.Get("Location")
	if u.session == "" {
		return "", errors.Join(bucket.Unanswered(errors.New("a reply without the place of the upload")), resp.Body.Close())
	}
	return u.session, resp.Body.Close()
}

// status308 is what the service says to a part that is not the last.
const status308 = http.StatusPermanentRedirect

// Part implements bucket.Upload.
func (u *upload) Part(ctx context.Context, _ int, off int64, p []byte) error {
	session, err := u.begin(ctx)
	if err != nil {
		return err
	}
	return u.put(ctx, session, off, p, "*")
}

// put sends bytes of a resumable upload until the service has them all, for it may keep fewer than it was sent; those that
// it has already it passes over. total is the size of the object, or "*".
func (u *upload) put(ctx context.Context, session string, off int64, p []byte, total string) error {
	for end := off + int64(len(p)); ; {
		head := http.Header{"Content-Type": {octets}, "Content-Range": {fmt.Sprintf("bytes %d-%d/%s", off, end-1, total)}}
		resp, err := u.s.send(ctx, http.MethodPut, session, head, p, status308, http.StatusOK, http.StatusCreated)
		if err != nil {
			return err
		}
		if err := resp.Body.Close(); err != nil {
			return bucket.Unanswered(err)
		}
		if resp.StatusCode != status308 {
			return nil
		}
		has := kept(resp.Header.Get("Range"))
		if has >= end && total == "*" {
			return nil
		}
		if has <= off || has >= end {
			return bucket.Unanswered(fmt.Errorf("the upload stands at byte %d after bytes %d to %d", has, off, end-1))
		}
		p, off = p[has-off:], has
	}
}

// kept is how many bytes of a resumable upload the service has, by the header Range of its reply.
func kept(text string) int64 {
	_, last, _ := strings.Cut(text, "-")
	n, err := strconv.ParseInt(last, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n + 1
}

// Complete implements bucket.Upload.
func (u *upload) Complete(ctx context.Context, number int, off int64, p []byte) error {
	if number > 0 {
		session, err := u.begin(ctx)
		if err != nil {
			return err
		}
		return u.put(ctx, session, off, p, strconv.FormatInt(off+int64(len(p)), 10))
	}
	var body bytes.Buffer
	parts := multipart.NewWriter(&body)
	for _, part := range []struct {
		kind string
		data []byte
	}{{"application/json", u.resource()}, {octets, p}} {
		w, err := parts.CreatePart(textproto.MIMEHeader{"Content-Type": {part.kind}})
		if err != nil {
			return err
		}
		if _, err := w.Write(part.data); err != nil {
			return err
		}
	}
	if err := parts.Close(); err != nil {
		return err
	}
	head := http.Header{"Content-Type": {"multipart/related; boundary=" + parts.Boundary()}}
	resp, err := u.s.request(ctx, http.MethodPost, u.address(), u.query("multipart"), head, body.Bytes(), http.StatusOK, http.StatusCreated)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// Abort implements bucket.Upload.
func (u *upload) Abort(ctx context.Context) error {
	if u.session == "" {
		return nil
	}
	// 499 is what the service answers to an upload that it drops.
	resp, err := u.s.send(ctx, http.MethodDelete, u.session, http.Header{}, nil, 499, http.StatusOK, http.StatusNoContent, http.StatusNotFound)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

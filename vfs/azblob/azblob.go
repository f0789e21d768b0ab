// Package azblob is the vfs backend for Azure Blob Storage. A URI is azure://container/key.
//
// Files are refused atomically where they exist already by "If-None-Match: *" on a put and on the commit of a list of
// blocks. Blocks that were uploaded and never committed are dropped by the service after a week; nothing else can.
package azblob

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"golang.org/x/sync/errgroup"

	"azulejo/vfs"
	"azulejo/vfs/bucket"
)

// Options name an account and how to deal with it. Nothing is taken from the environment.
type Options struct {
	// Account is the storage account's name.
	Account string
	// Endpoint is the URL of the account's blob service; empty means Azure's own for the account. A URL of scheme http is
	// spoken to without TLS.
	Endpoint string

	// Key is the account's shared key in base64, SAS a shared access signature ("sv=…&sig=…"). At most one is set; without
	// them requests are anonymous.
	Key, SAS string

	Network bucket.Network
	bucket.Options
}

// New returns a file system on the containers of an account. It makes no request.
func New(o Options) (*bucket.FS, error) {
	s, err := newStore(o)
	if err != nil {
		return nil, fmt.Errorf("azblob: %w", err)
	}
	return bucket.New(s, o.Options, "azure"), nil
}

// store implements bucket.Store.
type store struct {
	endpoint string
	sas      string
	key      *container.SharedKeyCredential
	options  container.ClientOptions
	// conditional is unset for servers that do not know conditional puts.
	conditional bool
}

func newStore(o Options) (*store, error) {
	s := &store{endpoint: strings.TrimRight(o.Endpoint, "/"), sas: strings.TrimPrefix(o.SAS, "?"), conditional: !o.NoConditionalPut}
	switch {
	case s.endpoint == "" && o.Account == "":
		return nil, errors.New("neither account nor endpoint is given")
	case s.endpoint == "":
		s.endpoint = "https://" + o.Account + ".blob.core.windows.net"
	}
	u, err := url.Parse(s.endpoint)
	if err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" {
		return nil, errors.New("endpoint: want http:// or https://, a host and, where the server wants it, a path")
	}
	if o.Key != "" && o.SAS != "" {
		return nil, errors.New("shared key and shared access signature at once: choose one")
	}
	if o.Key != "" {
		if o.Account == "" {
			return nil, errors.New("a shared key without its account")
		}
		if s.key, err = container.NewSharedKeyCredential(o.Account, o.Key); err != nil {
			return nil, errors.New("the shared key is not base64")
		}
	}
	transport, err := o.Network.RoundTripper()
	if err != nil {
		return nil, err
	}
	s.options.Transport = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	s.options.Retry = policy.RetryOptions{MaxRetries: -1}
	s.options.Telemetry = policy.TelemetryOptions{ApplicationID: "azulejo"}
	return s, nil
}

func (s *store) container(name string) (*container.Client, error) {
	at := s.endpoint + "/" + url.PathEscape(name)
	if s.key != nil {
		return container.NewClientWithSharedKeyCredential(at, s.key, &s.options)
	}
	if s.sas != "" {
		at += "?" + s.sas
	}
	return container.NewClientWithNoCredential(at, &s.options)
}

func (s *store) blob(name, key string) (*blockblob.Client, error) {
	c, err := s.container(name)
	if err != nil {
		return nil, err
	}
	return c.NewBlockBlobClient(key), nil
}

// fault tells what an error of the client library means.
func fault(err error) error {
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*azcore.ResponseError](err)
	if !ok {
		return bucket.Unanswered(err)
	}
	f := bucket.Answered(e.StatusCode, e.ErrorCode, errors.New(http.StatusText(e.StatusCode)))
	switch e.ErrorCode {
	case "ContainerNotFound", "ResourceNotFound":
		f.Class = nil
	case "BlobAlreadyExists", "ConditionNotMet", "UnauthorizedBlobOverwrite":
		f.Class = vfs.ErrExist
	case "ServerBusy", "OperationTimedOut", "InternalError", "ContainerBeingDeleted":
		f.Retry = true
	}
	if e.RawResponse != nil {
		f.After = bucket.RetryAfter(e.RawResponse.Header)
	}
	return f
}

// List implements bucket.Store. A token is the service's own.
func (s *store) List(ctx context.Context, name, prefix string, flat bool, token string) ([]bucket.Item, string, error) {
	c, err := s.container(name)
	if err != nil {
		return nil, "", err
	}
	var marker *string
	if token != "" {
		marker = &token
	}
	var items []bucket.Item
	if flat {
		page, err := c.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: &prefix, Marker: marker}).NextPage(ctx)
		if err != nil {
			return nil, token, fault(err)
		}
		for _, b := range page.Segment.BlobItems {
			items = append(items, item(b))
		}
		return items, value(page.NextMarker), nil
	}
	page, err := c.NewListBlobsHierarchyPager("/", &container.ListBlobsHierarchyOptions{Prefix: &prefix, Marker: marker}).NextPage(ctx)
	if err != nil {
		return nil, token, fault(err)
	}
	for _, b := range page.Segment.BlobItems {
		items = append(items, item(b))
	}
	for _, p := range page.Segment.BlobPrefixes {
		items = append(items, bucket.Item{Key: value(p.Name)})
	}
	return items, value(page.NextMarker), nil
}

func item(b *container.BlobItem) bucket.Item {
	it := bucket.Item{Key: value(b.Name)}
	if b.Properties != nil {
		it.NBytes = value(b.Properties.ContentLength)
	}
	return it
}

// value is what p points to, or the zero value.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// Peek implements bucket.Store with the beginning of the object: the service knows no ranges from the end.
func (s *store) Peek(ctx context.Context, name, key string, n int) (bucket.Piece, error) {
	b, err := s.blob(name, key)
	if err != nil {
		return bucket.Piece{}, err
	}
	if n == 0 {
		r, err := b.GetProperties(ctx, nil)
		if err != nil {
			return bucket.Piece{}, fault(err)
		}
		return bucket.Piece{NBytes: value(r.ContentLength), Tag: string(value(r.ETag)), Writer: written(r.Metadata)}, nil
	}
	r, err := b.DownloadStream(ctx, &blob.DownloadStreamOptions{Range: blob.HTTPRange{Count: int64(n)}})
	if err != nil {
		if e, ok := errors.AsType[*azcore.ResponseError](err); ok && e.StatusCode == http.StatusRequestedRangeNotSatisfiable {
			return s.Peek(ctx, name, key, 0) // the object is empty
		}
		return bucket.Piece{}, fault(err)
	}
	defer r.Body.Close()
	p := bucket.Piece{NBytes: value(r.ContentLength), Tag: string(value(r.ETag)), Writer: written(r.Metadata)}
	if r.ContentRange != nil {
		if p.Off, p.NBytes, err = bucket.ContentRange(*r.ContentRange); err != nil {
			return bucket.Piece{}, bucket.Unanswered(err)
		}
	}
	p.Data = make([]byte, max(0, min(p.NBytes-p.Off, int64(n))))
	if _, err := io.ReadFull(r.Body, p.Data); err != nil {
		return bucket.Piece{}, bucket.Unanswered(err)
	}
	return p, nil
}

// written is the mark in the metadata of a blob, whose names come in any case.
func written(meta map[string]*string) string {
	for name, v := range meta {
		if strings.EqualFold(name, bucket.MarkName) {
			return value(v)
		}
	}
	return ""
}

// Read implements bucket.Store.
func (s *store) Read(ctx context.Context, name, key, tag string, p []byte, off int64) error {
	b, err := s.blob(name, key)
	if err != nil {
		return err
	}
	r, err := b.DownloadStream(ctx, &blob.DownloadStreamOptions{
		Range:            blob.HTTPRange{Offset: off, Count: int64(len(p))},
		AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfMatch: to.Ptr(azcore.ETag(tag))}},
	})
	if err != nil {
		return changed(fault(err))
	}
	defer r.Body.Close()
	if n := value(r.ContentLength); n != int64(len(p)) {
		return bucket.Unanswered(fmt.Errorf("%d bytes came where %d were asked for", n, len(p)))
	}
	if _, err := io.ReadFull(r.Body, p); err != nil {
		return bucket.Unanswered(err)
	}
	return nil
}

// changed turns what a conditional read of a file answers when it is another or gone.
func changed(err error) error {
	f, ok := errors.AsType[*bucket.Fault](err)
	if ok && (f.Class == vfs.ErrExist || f.Class == vfs.ErrNotExist || f.Status == http.StatusRequestedRangeNotSatisfiable) {
		f.Class = bucket.ErrChanged
	}
	return err
}

// deletes is how many blobs are deleted at a time.
const deletes = 16

// Delete implements bucket.Store, one request a blob: batches of them need rights that a signature for one container
// does not give.
func (s *store) Delete(ctx context.Context, name string, keys []string) error {
	c, err := s.container(name)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(deletes)
	for _, key := range keys {
		group.Go(func() error {
			_, err := c.NewBlobClient(key).Delete(ctx, &blob.DeleteOptions{DeleteSnapshots: to.Ptr(blob.DeleteSnapshotsOptionTypeInclude)})
			if err = fault(err); errors.Is(err, vfs.ErrNotExist) {
				return nil
			}
			return err
		})
	}
	return group.Wait()
}

// upload implements bucket.Upload.
type upload struct {
	s                 *store
	name, key, writer string

	mu sync.Mutex
	// last is guarded by mu: the number of the last block, once it is uploaded, else 0.
	last int
}

// Upload implements bucket.Store.
func (s *store) Upload(name, key, writer string) bucket.Upload {
	return &upload{s: s, name: name, key: key, writer: writer}
}

// block names a block: by the writer's mark too, since all uploads to one key share their names.
func (u *upload) block(number int) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s%08d", u.writer, number))
}

// Part implements bucket.Upload.
func (u *upload) Part(ctx context.Context, number int, _ int64, p []byte) error {
	b, err := u.s.blob(u.name, u.key)
	if err != nil {
		return err
	}
	_, err = b.StageBlock(ctx, u.block(number), streaming.NopCloser(bytes.NewReader(p)),
		&blockblob.StageBlockOptions{TransactionalValidation: blob.TransferValidationTypeComputeCRC64()})
	return fault(err)
}

// Complete implements bucket.Upload.
func (u *upload) Complete(ctx context.Context, number int, off int64, p []byte) error {
	b, err := u.s.blob(u.name, u.key)
	if err != nil {
		return err
	}
	meta := map[string]*string{bucket.MarkName: &u.writer}
	var conditions *blob.AccessConditions
	if u.s.conditional {
		conditions = &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: to.Ptr(azcore.ETagAny)}}
	}
	if number == 0 {
		_, err := b.Upload(ctx, streaming.NopCloser(bytes.NewReader(p)), &blockblob.UploadOptions{
			Metadata: meta, AccessConditions: conditions, TransactionalValidation: blob.TransferValidationTypeComputeCRC64(),
		})
		return fault(err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.last == 0 {
		if err := u.Part(ctx, number, off, p); err != nil {
			return err
		}
		u.last = number
	}
	blocks := make([]string, number+1)
	for i := range blocks {
		blocks[i] = u.block(i)
	}
	_, err = b.CommitBlockList(ctx, blocks, &blockblob.CommitBlockListOptions{Metadata: meta, AccessConditions: conditions})
	err = fault(err)
	if f, ok := errors.AsType[*bucket.Fault](err); ok && f.Code == "InvalidBlockList" {
		// Another writer published the file meanwhile: the service then drops the blocks of all others.
		if _, e := b.GetProperties(ctx, nil); e == nil {
			f.Class = vfs.ErrExist
		}
	}
	return err
}

// Abort implements bucket.Upload: the service drops the blocks by itself.
func (u *upload) Abort(context.Context) error { return nil }

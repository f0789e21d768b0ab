// Package s3 is the vfs backend for Amazon S3 and servers that speak its protocol: MinIO, versitygw, Ceph, and Google
// Cloud Storage with HMAC keys. A URI is s3://bucket/key.
//
// Files are refused atomically where they exist already by "If-None-Match: *" on a put and on the completion of an upload
// in parts. Amazon has that since 2024 and current MinIO too; see bucket.Options.NoConditionalPut for servers without.
package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/encrypt"

	"azulejo/vfs"
	"azulejo/vfs/bucket"
)

// Options name a server and how to deal with it. Nothing is taken from the environment unless Ambient says so.
type Options struct {
	// Endpoint is host, host:port or a URL of the server; empty means Amazon's, of the region. A URL of scheme http is
	// spoken to without TLS.
	Endpoint string
	// Region is where the buckets are; empty means that Amazon is asked, and us-east-1 for other servers.
	Region string
	// PathStyle puts the bucket in the path instead of the host's name. It is always so with an Endpoint that is not
	// Amazon's, Google's or Alibaba's.
	PathStyle bool

	// AccessKey, SecretKey and, for temporary credentials, SessionToken sign requests. Without them requests are anonymous.
	AccessKey, SecretKey, SessionToken string
	// Ambient takes the credentials from where Amazon's own tools have them: environment, shared file, instance role.
	Ambient bool

	// Encryption asks the server to encrypt new files. Its zero value leaves that to the bucket's own rule.
	Encryption Encryption
	// StorageClass of new files; empty means the bucket's.
	StorageClass string

	// Schemes are those of the URIs taken; nil means s3 alone.
	Schemes []string

	Network bucket.Network
	bucket.Options
}

// Encryption is how the server encrypts files. At most one field is set.
type Encryption struct {
	// Managed is by keys that S3 manages (SSE-S3).
	Managed bool
	// KMSKey is the name of a key in the key management service (SSE-KMS).
	KMSKey string
	// CustomerKey is our own key of 32 bytes, sent with each request and needed to read (SSE-C). It needs TLS.
	CustomerKey []byte
}

func (e Encryption) side() (encrypt.ServerSide, error) {
	switch {
	case e.Managed && e.KMSKey == "" && e.CustomerKey == nil:
		return encrypt.NewSSE(), nil
	case !e.Managed && e.KMSKey != "" && e.CustomerKey == nil:
		return encrypt.NewSSEKMS(e.KMSKey, nil)
	case !e.Managed && e.KMSKey == "" && e.CustomerKey != nil:
		return encrypt.NewSSEC(e.CustomerKey)
	case !e.Managed && e.KMSKey == "" && e.CustomerKey == nil:
		return nil, nil
	}
	return nil, errors.New("several kinds of encryption at once: choose one")
}

// New returns a file system on the buckets of a server. It makes no request.
func New(o Options) (*bucket.FS, error) {
	s, err := newStore(o)
	if err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	schemes := o.Schemes
	if schemes == nil {
		schemes = []string{"s3"}
	}
	return bucket.New(s, o.Options, schemes...), nil
}

// store implements bucket.Store.
type store struct {
	core  minio.Core
	side  encrypt.ServerSide
	class string
	// conditional is unset for servers that do not know conditional puts.
	conditional bool
}

func newStore(o Options) (*store, error) {
	host, secure, err := endpoint(o)
	if err != nil {
		return nil, err
	}
	side, err := o.Encryption.side()
	if err != nil {
		return nil, err
	}
	transport, err := o.Network.RoundTripper()
	if err != nil {
		return nil, err
	}
	region := o.Region
	if region == "" && !strings.HasSuffix(host, ".amazonaws.com") {
		region = "us-east-1"
	}
	lookup := minio.BucketLookupAuto
	if o.PathStyle {
		lookup = minio.BucketLookupPath
	}
	core, err := minio.NewCore(host, &minio.Options{
		Creds: creds(o), Secure: secure, Transport: transport, Region: region, BucketLookup: lookup, MaxRetries: 1,
	})
	if err != nil {
		return nil, err
	}
	return &store{core: *core, side: side, class: o.StorageClass, conditional: !o.NoConditionalPut}, nil
}

// endpoint returns host and port of the server and whether TLS is spoken.
func endpoint(o Options) (host string, secure bool, err error) {
	switch {
	case o.Endpoint == "" && o.Region == "":
		return "s3.amazonaws.com", true, nil
	case o.Endpoint == "":
		return "s3." + o.Region + ".amazonaws.com", true, nil
	case !strings.Contains(o.Endpoint, "://"):
		return o.Endpoint, true, nil
	}
	u, err := url.Parse(o.Endpoint)
	if err != nil {
		return "", false, fmt.Errorf("endpoint: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" {
		return "", false, fmt.Errorf("endpoint %q: want http:// or https:// and a host without a path", o.Endpoint)
	}
	return u.Host, u.Scheme == "https", nil
}

func creds(o Options) *credentials.Credentials {
	switch {
	case o.Ambient:
		return credentials.NewChainCredentials([]credentials.Provider{
			&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{Client: &http.Client{Timeout: 10 * time.Second}},
		})
	case o.AccessKey == "" && o.SecretKey == "":
		return credentials.NewStatic("", "", "", credentials.SignatureAnonymous)
	default:
		return credentials.NewStaticV4(o.AccessKey, o.SecretKey, o.SessionToken)
	}
}

// readSide is the encryption that reads must name: only that by our own key.
func (s *store) readSide() encrypt.ServerSide {
	if s.side != nil && s.side.Type() == encrypt.SSEC {
		return s.side
	}
	return nil
}

// fault tells what an error of the client library means.
func fault(err error) error {
	if err == nil {
		return nil
	}
	e := minio.ToErrorResponse(err)
	if e.StatusCode == 0 {
		return bucket.Unanswered(err)
	}
	text := e.Message
	if text == "" {
		text = http.StatusText(e.StatusCode)
	}
	f := bucket.Answered(e.StatusCode, e.Code, errors.New(text))
	switch e.Code {
	case "NoSuchBucket":
		f.Class = nil
	case "InvalidAccessKeyId", "XAdminUserNotFound", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken":
		f.Class, f.Status = nil, http.StatusForbidden // some servers answer with another
	case "PreconditionFailed":
		f.Class = vfs.ErrExist
	case "ConditionalRequestConflict", "OperationAborted", "RequestTimeout", "SlowDown", "SlowDownRead", "SlowDownWrite",
		"InternalError", "ServiceUnavailable", "TooManyRequests", "Throttling", "ThrottlingException", "RequestLimitExceeded":
		f.Retry = true
	}
	return f
}

const pageKeys = 1000

// List implements bucket.Store. A token is the last key or prefix seen.
func (s *store) List(ctx context.Context, name, prefix string, flat bool, token string) ([]bucket.Item, string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var items []bucket.Item
	last := token
	for o := range s.core.ListObjectsIter(ctx, name, minio.ListObjectsOptions{
		Prefix: prefix, Recursive: flat, StartAfter: token, MaxKeys: pageKeys,
	}) {
		if o.Err != nil {
			return items, last, fault(o.Err)
		}
		if o.Key <= token && token != "" {
			continue // the prefix that a page ended with comes again
		}
		last = max(last, o.Key)
		items = append(items, bucket.Item{Key: o.Key, NBytes: o.Size})
	}
	if err := ctx.Err(); err != nil {
		return nil, token, err
	}
	return items, "", nil
}

// Peek implements bucket.Store with the end of the object.
func (s *store) Peek(ctx context.Context, name, key string, n int) (bucket.Piece, error) {
	if n == 0 {
		o, err := s.core.StatObject(ctx, name, key, minio.StatObjectOptions{ServerSideEncryption: s.readSide()})
		if err != nil {
			return bucket.Piece{}, fault(err)
		}
		return piece(o, o.Size), nil
	}
	opts := minio.GetObjectOptions{ServerSideEncryption: s.readSide()}
	if err := opts.SetRange(0, -int64(n)); err != nil {
		return bucket.Piece{}, err
	}
	body, o, head, err := s.core.GetObject(ctx, name, key, opts)
	if err != nil {
		if e := minio.ToErrorResponse(err); e.StatusCode == http.StatusRequestedRangeNotSatisfiable {
			return s.Peek(ctx, name, key, 0) // the object is empty, or the server gives no more of the end than there is
		}
		return bucket.Piece{}, fault(err)
	}
	defer body.Close()
	size, off := o.Size, int64(0)
	if text := head.Get("Content-Range"); text != "" {
		if off, size, err = bucket.ContentRange(text); err != nil {
			return bucket.Piece{}, fault(err)
		}
	}
	p := piece(o, size)
	p.Off = off
	if size-off > int64(n) {
		return p, nil // a server that knows no such ranges begins to send all
	}
	p.Data = make([]byte, size-off)
	if _, err := io.ReadFull(body, p.Data); err != nil {
		return bucket.Piece{}, bucket.Unanswered(err)
	}
	return p, nil
}

func piece(o minio.ObjectInfo, size int64) bucket.Piece {
	return bucket.Piece{NBytes: size, Tag: o.ETag, Writer: o.Metadata.Get("X-Amz-Meta-" + bucket.MarkName)}
}

// Read implements bucket.Store.
func (s *store) Read(ctx context.Context, name, key, tag string, p []byte, off int64) error {
	opts := minio.GetObjectOptions{ServerSideEncryption: s.readSide()}
	if err := opts.SetRange(off, off+int64(len(p))-1); err != nil {
		return err
	}
	if tag != "" {
		if err := opts.SetMatchETag(tag); err != nil {
			return err
		}
	}
	body, o, _, err := s.core.GetObject(ctx, name, key, opts)
	if err != nil {
		return changed(fault(err))
	}
	defer body.Close()
	if tag != "" && o.ETag != tag {
		return &bucket.Fault{Class: bucket.ErrChanged, Err: errors.New("another ETag")}
	}
	if o.Size != int64(len(p)) {
		return bucket.Unanswered(fmt.Errorf("%d bytes came where %d were asked for", o.Size, len(p)))
	}
	if _, err := io.ReadFull(body, p); err != nil {
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

// Delete implements bucket.Store.
func (s *store) Delete(ctx context.Context, name string, keys []string) error {
	if len(keys) == 1 {
		return gone(fault(s.core.RemoveObject(ctx, name, keys[0], minio.RemoveObjectOptions{})))
	}
	objects := make(chan minio.ObjectInfo, len(keys))
	for _, key := range keys {
		objects <- minio.ObjectInfo{Key: key}
	}
	close(objects)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var first error
	for e := range s.core.RemoveObjects(ctx, name, objects, minio.RemoveObjectsOptions{}) {
		if err := gone(fault(e.Err)); err != nil && first == nil {
			first = err
		}
	}
	return errors.Join(first, ctx.Err())
}

// gone leaves out the error of removing what is not there.
func gone(err error) error {
	if errors.Is(err, vfs.ErrNotExist) {
		return nil
	}
	return err
}

// upload implements bucket.Upload.
type upload struct {
	s                 *store
	name, key, writer string

	mu sync.Mutex
	// id and parts are guarded by mu: the upload's name once it began, and what is uploaded of it by number from 0.
	id    string
	parts map[int]minio.CompletePart
}

// Upload implements bucket.Store.
func (s *store) Upload(name, key, writer string) bucket.Upload {
	return &upload{s: s, name: name, key: key, writer: writer, parts: map[int]minio.CompletePart{}}
}

func (u *upload) options() minio.PutObjectOptions {
	return minio.PutObjectOptions{
		ServerSideEncryption: u.s.side, StorageClass: u.s.class,
		UserMetadata:         map[string]string{bucket.MarkName: u.writer},
		DisableContentSha256: true, // of its signature in pieces: ours is of the whole
	}
}

// begin returns the upload's name, asking for one at the first call.
func (u *upload) begin(ctx context.Context) (string, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.id != "" {
		return u.id, nil
	}
	id, err := u.s.core.NewMultipartUpload(ctx, u.name, u.key, u.options())
	u.id = id
	return id, fault(err)
}

// Part implements bucket.Upload.
func (u *upload) Part(ctx context.Context, number int, _ int64, p []byte) error {
	id, err := u.begin(ctx)
	if err != nil {
		return err
	}
	part, err := u.s.core.PutObjectPart(ctx, u.name, u.key, id, number+1, bytes.NewReader(p), int64(len(p)),
		minio.PutObjectPartOptions{SSE: u.s.readSide(), Sha256Hex: sum(p), DisableContentSha256: true})
	if err != nil {
		return fault(err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.parts[number] = minio.CompletePart{PartNumber: number + 1, ETag: part.ETag}
	return nil
}

func sum(p []byte) string {
	h := sha256.Sum256(p)
	return hex.EncodeToString(h[:])
}

// Complete implements bucket.Upload.
func (u *upload) Complete(ctx context.Context, number int, off int64, p []byte) error {
	if number == 0 {
		opts := u.options()
		if u.s.conditional {
			opts.SetMatchETagExcept("*")
		}
		var body io.Reader // none for an empty file: a length of 0 must be told
		if len(p) > 0 {
			body = bytes.NewReader(p)
		}
		_, err := u.s.core.PutObject(ctx, u.name, u.key, body, int64(len(p)), "", sum(p), opts)
		return fault(err)
	}
	if _, ok := u.parts[number]; !ok {
		if err := u.Part(ctx, number, off, p); err != nil {
			return err
		}
	}
	parts := make([]minio.CompletePart, number+1)
	for i := range parts {
		parts[i] = u.parts[i]
	}
	opts := minio.PutObjectOptions{ServerSideEncryption: u.s.readSide()}
	if u.s.conditional {
		opts.SetMatchETagExcept("*")
	}
	_, err := u.s.core.CompleteMultipartUpload(ctx, u.name, u.key, u.id, parts, opts)
	return fault(err)
}

// Abort implements bucket.Upload.
func (u *upload) Abort(ctx context.Context) error {
	if u.id == "" {
		return nil
	}
	return gone(fault(u.s.core.AbortMultipartUpload(ctx, u.name, u.key, u.id)))
}

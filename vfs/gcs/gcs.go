// Package gcs is the vfs backend for Google Cloud Storage over its JSON interface. URIs are gs://bucket/key and
// gcs://bucket/key.
//
// Files are refused atomically where they exist already by the precondition that the object's generation be 0. Large files
// are resumable uploads, whose parts go one after the other. With HMAC keys the service is spoken to as an S3 server,
// which has no conditional puts there: whether a file exists is then only asked before it is published.
//
// Google's own client is not used: it brings gRPC, xDS and OpenTelemetry, for six kinds of requests.
package gcs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"

	"azulejo/vfs/bucket"
	"azulejo/vfs/s3"
)

// scope is the right that tokens are asked for.
const scope = "https://www.googleapis.com/auth/devstorage.read_write"

// partUnit is what the sizes of parts are multiples of.
const partUnit = 256 << 10

// Options say who asks, and where. Nothing is taken from the environment unless Ambient says so.
type Options struct {
	// Endpoint is the URL of the service; empty means Google's. A URL of scheme http is spoken to without TLS.
	Endpoint string

	// ServiceAccount is the JSON text of a service account's key, ServiceAccountFile a file with it. AccessKey and
	// SecretKey are HMAC keys. Token is an OAuth access token. At most one of these kinds is given; without any, requests
	// are anonymous.
	ServiceAccount, ServiceAccountFile string
	AccessKey, SecretKey               string
	Token                              string
	// Ambient takes the credentials from where Google's own tools have them: environment, file, instance.
	Ambient bool
	// Project is billed for buckets that let their readers pay; usually empty.
	Project string

	Network bucket.Network
	bucket.Options
}

// New returns a file system on the buckets that the credentials reach. It makes no request.
func New(ctx context.Context, o Options) (*bucket.FS, error) {
	fs, err := open(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("gcs: %w", err)
	}
	return fs, nil
}

func schemes() []string { return []string{"gs", "gcs"} }

func open(ctx context.Context, o Options) (*bucket.FS, error) {
	kinds := 0
	for _, given := range []bool{o.ServiceAccount != "", o.ServiceAccountFile != "", o.AccessKey != "", o.Token != "", o.Ambient} {
		if given {
			kinds++
		}
	}
	if kinds > 1 {
		return nil, errors.New("several kinds of credentials at once: choose one")
	}
	endpoint := strings.TrimRight(o.Endpoint, "/")
	if endpoint == "" {
		endpoint = "https://storage.googleapis.com"
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("endpoint: want http:// or https:// and a host")
	}
	if o.AccessKey != "" {
		o.Options.NoConditionalPut = true
		return s3.New(s3.Options{
			Endpoint: endpoint, PathStyle: true, AccessKey: o.AccessKey, SecretKey: o.SecretKey,
			Schemes: schemes(), Network: o.Network, Options: o.Options,
		})
	}
	transport, err := o.Network.RoundTripper()
	if err != nil {
		return nil, err
	}
	source, err := tokens(context.WithValue(context.WithoutCancel(ctx), oauth2.HTTPClient, &http.Client{Transport: transport}), o)
	if err != nil {
		return nil, err
	}
	if source != nil {
		transport = &oauth2.Transport{Source: oauth2.ReuseTokenSource(nil, source), Base: transport}
	}
	// Parts of a resumable upload follow one another and are multiples of 256 KiB.
	o.Options.Parallel = 1
	if n := o.Options.PartBytes; n > 0 {
		o.Options.PartBytes = max(n/partUnit, 1) * partUnit
	}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return bucket.New(&store{client: client, endpoint: endpoint, project: o.Project, conditional: !o.NoConditionalPut}, o.Options, schemes()...), nil
}

// tokens returns the source of access tokens, nil for anonymous requests.
func tokens(ctx context.Context, o Options) (oauth2.TokenSource, error) {
	key := []byte(o.ServiceAccount)
	switch {
	case o.Token != "":
		return oauth2.StaticTokenSource(&oauth2.Token{AccessToken: o.Token}), nil
	case o.Ambient:
		return google.DefaultTokenSource(ctx, scope)
	case o.ServiceAccountFile != "":
		var err error
		if key, err = os.ReadFile(o.ServiceAccountFile); err != nil {
			return nil, err
		}
	case o.ServiceAccount == "":
		return nil, nil
	}
	config, err := google.JWTConfigFromJSON(key, scope)
	if err != nil {
		return nil, errors.New("the service account is not the JSON text of a key")
	}
	return config.TokenSource(ctx), nil
}

package credential

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"azulejo/vfs"
	"azulejo/vfs/azblob"
	"azulejo/vfs/bucket"
	"azulejo/vfs/gcs"
	"azulejo/vfs/s3"
)

// Error classes of stores.
var (
	// ErrRole means that a credential is a role, which only the server's own credentials could take on; those are never used for
	// users.
	ErrRole = errors.New("the server takes on no roles: that would use its own credentials for others; use a key")
	// ErrConnection means that a store does not let the credential in, or cannot be reached.
	ErrConnection = errors.New("the store cannot be used with this credential")
)

// schemes are those of the URIs that each provider's credentials are for.
var schemes = map[string][]string{"AWS": {"s3"}, "AZURE": {"azure"}, "GCP": {"gcs", "gs"}}

// Open returns the store that a credential reaches. It makes no request but, for Google's service accounts, for their tokens. Only
// public addresses are dialed, and hosts that the operator allows. Error classes: ErrInvalid, ErrRole.
func (s *Credentials) Open(ctx context.Context, c Credential, allowed []string) (vfs.FS, error) {
	secret, err := s.secret(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := CheckEndpoint(c.Public.Endpoint, allowed); err != nil {
		return nil, err
	}
	network := bucket.Network{Transport: Transport(allowed)}
	var fs *bucket.FS
	switch c.Kind {
	case Kind{"AWS", "key"}:
		if c.Public.RoleARN != "" {
			return nil, ErrRole
		}
		fs, err = s3.New(s3.Options{Endpoint: c.Public.Endpoint, AccessKey: c.Public.KeyID, SecretKey: secret, Network: network})
	case Kind{"AZURE", "key"}:
		fs, err = azblob.New(azblob.Options{Account: c.Public.KeyID, Key: secret, Endpoint: c.Public.Endpoint, Network: network})
	case Kind{"AZURE", "azure_token"}:
		fs, err = azblob.New(azblob.Options{Account: c.Public.KeyID, SAS: strings.TrimPrefix(secret, "?"), Endpoint: c.Public.Endpoint, Network: network})
	case Kind{"GCP", "key"}:
		fs, err = gcs.New(ctx, gcs.Options{AccessKey: c.Public.KeyID, SecretKey: secret, Endpoint: c.Public.Endpoint, Network: network})
	case Kind{"GCP", "token"}:
		fs, err = gcs.New(ctx, gcs.Options{ServiceAccount: secret, Endpoint: c.Public.Endpoint, Network: network})
	default:
		return nil, ErrRole
	}
	if err != nil {
		return nil, fmt.Errorf("%w: its parts do not make a credential of %s", ErrInvalid, c.Kind.Provider)
	}
	return fs, nil
}

// secret returns the secret of a credential.
func (s *Credentials) secret(ctx context.Context, c Credential) (string, error) {
	var sealed []byte
	err := s.db.Read().QueryRowContext(ctx, "SELECT sealed FROM credentials WHERE id = ? AND namespace_id = ?", c.ID, c.NamespaceID).Scan(&sealed)
	if err != nil {
		return "", fmt.Errorf("credential: %w", err)
	}
	plain, err := s.sealer.Unseal(Label(c.NamespaceID, c.ID), sealed)
	if err != nil {
		return "", fmt.Errorf("credential %s: %w", c.Name, err)
	}
	return string(plain), nil
}

// testLimit is how long a test may take.
const testLimit = 20 * time.Second

// Test looks whether a credential opens a place, such as s3://bucket/folder, for reading and, with write, for writing: it makes an
// object of its own there and removes it. Error classes: ErrInvalid, ErrRole, ErrConnection, whose text has no secret.
func (s *Credentials) Test(ctx context.Context, c Credential, uri string, write bool, allowed []string) error {
	u, err := url.Parse(uri)
	if err != nil || !slices.Contains(schemes[c.Kind.Provider], u.Scheme) || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || len(uri) > 1024 {
		return fmt.Errorf("%w: name a place of %s to try, such as %s://bucket/folder", ErrInvalid, c.Kind.Provider, schemes[c.Kind.Provider][0])
	}
	if len(c.Public.Buckets) > 0 && !slices.Contains(c.Public.Buckets, u.Host) {
		return fmt.Errorf("%w: the credential is for the buckets %q only", ErrInvalid, c.Public.Buckets)
	}
	ctx, cancel := context.WithTimeout(ctx, testLimit)
	defer cancel()
	fs, err := s.Open(ctx, c, allowed)
	if err != nil {
		return err
	}
	// Nothing is there, but to see that takes the right to list.
	object := vfs.Join(uri, ".azulejo-test-"+rand.Text())
	_, err = fs.List(ctx, object)
	if err == nil && write {
		if err = vfs.WriteAll(ctx, fs, object, []byte("azulejo tests a credential\n")); err == nil {
			err = fs.Remove(ctx, object)
		}
	}
	if err == nil {
		return nil
	}
	if errors.Is(err, ErrInvalid) {
		return errPrivate
	}
	return fmt.Errorf("%w: %s", ErrConnection, s.told(ctx, c, err))
}

// told is the text of a store's error as its user may see it: without the secret, and no longer than a line.
func (s *Credentials) told(ctx context.Context, c Credential, err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("it does not answer within %v", testLimit)
	}
	text := err.Error()
	secret, failed := s.secret(context.WithoutCancel(ctx), c)
	if failed != nil {
		return "it refuses"
	}
	for _, part := range append(strings.FieldsFunc(secret, func(r rune) bool { return r == '&' || r == '?' || r == '\n' }), secret, url.QueryEscape(secret)) {
		if len(part) > 3 {
			text = strings.ReplaceAll(text, part, "…")
		}
	}
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > 300 {
		text = strings.ToValidUTF8(text[:300], "") + "…"
	}
	return text
}

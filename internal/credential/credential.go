// Package credential keeps the credentials by which namespaces reach object stores. Their secrets are sealed under the
// operator's key and bound to their namespace and credential; nothing but Secret opens them, and no reply carries them.
package credential

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"azulejo/internal/activity"
	"azulejo/internal/db"
)

// Error classes.
var (
	ErrInvalid  = errors.New("invalid credential")
	ErrNotFound = errors.New("no such credential")
	ErrExists   = errors.New("a credential of that name already exists")
)

// Local is the name by which clients call what needs no credential: the server's own disk. None can have it.
const Local = "local"

// Kind is a form of credential: whose it is and how it works. Its texts are what the API carries.
type Kind struct {
	Provider string // AWS, AZURE or GCP
	Type     string // key, arn, token or azure_token
}

// Public is what of a credential may be told.
type Public struct {
	// KeyID is the access key, account or role that the secret belongs to.
	KeyID    string   `json:"key_id,omitempty"`
	Endpoint string   `json:"endpoint,omitempty"`
	KMSKey   string   `json:"kms_key,omitempty"`
	RoleARN  string   `json:"role_arn,omitempty"` // beside a key
	Buckets  []string `json:"buckets,omitempty"`
}

// Credential is one credential, as a value. It carries no secret.
type Credential struct {
	ID, NamespaceID, Name string
	Kind                  Kind
	Public                Public
	// Default marks the one that is used where none is named, one for each provider; InTasks lets tasks use it.
	Default, InTasks     bool
	CreatedAt, UpdatedAt time.Time // UTC, seconds
}

// Sealer encrypts secrets under the operator's key. A label must be the same for both directions.
type Sealer interface {
	Seal(label string, plain []byte) ([]byte, error)
	Unseal(label string, sealed []byte) ([]byte, error)
}

// Credentials reads and writes credentials. It is safe for concurrent use.
type Credentials struct {
	db     *db.DB
	now    func() time.Time
	sealer Sealer
}

// New returns the credentials in d.
func New(d *db.DB, now func() time.Time, s Sealer) *Credentials {
	return &Credentials{db: d, now: now, sealer: s}
}

// Label is what binds the secret of a credential to it and to its namespace.
func Label(namespaceID, id string) string { return "credential " + namespaceID + " " + id }

const (
	maxName   = 128
	maxSecret = 64 << 10
	maxEach   = 200 // credentials of one namespace
)

// check returns nil for a credential that can be kept, else an error of class ErrInvalid.
func check(c Credential, secret string) error {
	switch {
	case c.Name == "" || len(c.Name) > maxName || strings.ContainsFunc(c.Name, func(r rune) bool { return !unicode.IsPrint(r) || r == '/' }):
		return fmt.Errorf("%w: a name has 1 to %d printable characters without '/'", ErrInvalid, maxName)
	case strings.EqualFold(c.Name, Local):
		return fmt.Errorf("%w: %q is the name of the server's own storage", ErrInvalid, Local)
	case len(secret) > maxSecret || len(c.Public.KeyID) > maxSecret:
		return fmt.Errorf("%w: a secret has at most %d bytes", ErrInvalid, maxSecret)
	}
	return nil
}

// Add keeps a new credential with its secret. Error classes: ErrInvalid, ErrExists.
func (s *Credentials) Add(ctx context.Context, c Credential, secret string) error {
	if err := check(c, secret); err != nil {
		return err
	}
	c.ID = uuid.NewString()
	public, err := json.Marshal(c.Public)
	if err != nil {
		return fmt.Errorf("credential: %w", err)
	}
	sealed, err := s.sealer.Seal(Label(c.NamespaceID, c.ID), []byte(secret))
	if err != nil {
		return fmt.Errorf("credential: %w", err)
	}
	now := s.now().Unix()
	return s.db.Update(ctx, func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM credentials WHERE namespace_id = ?", c.NamespaceID).Scan(&n); err != nil {
			return fmt.Errorf("credentials: %w", err)
		}
		if n >= maxEach {
			return fmt.Errorf("%w: a namespace has at most %d", ErrInvalid, maxEach)
		}
		if err := onlyDefault(ctx, tx, c); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO credentials (id, namespace_id, name, name_key, provider, type, public, sealed, provider_default,
			in_tasks, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, c.ID, c.NamespaceID, c.Name, strings.ToLower(c.Name),
			c.Kind.Provider, c.Kind.Type, string(public), sealed, c.Default, c.InTasks, now, now)
		if err != nil {
			return stored(err)
		}
		return s.record(ctx, tx, activity.CredentialAdded, c.NamespaceID, c.Name)
	})
}

func stored(err error) error {
	if db.IsTaken(err) {
		return ErrExists
	}
	if err != nil {
		return fmt.Errorf("credential: %w", err)
	}
	return nil
}

// onlyDefault takes the place of the default of its provider for c, if c is to have it.
func onlyDefault(ctx context.Context, tx *sql.Tx, c Credential) error {
	if !c.Default {
		return nil
	}
	_, err := tx.ExecContext(ctx, "UPDATE credentials SET provider_default = ? WHERE namespace_id = ? AND provider = ? AND id <> ?",
		false, c.NamespaceID, c.Kind.Provider, c.ID)
	return stored(err)
}

// Update keeps a changed credential; secret is nil if it stays. Error
// classes: ErrInvalid, ErrExists, ErrNotFound.
func (s *Credentials) Update(ctx context.Context, c Credential, secret *string) error {
	text := ""
	if secret != nil {
		text = *secret
	}
	if err := check(c, text); err != nil {
		return err
	}
	public, err := json.Marshal(c.Public)
	if err != nil {
		return fmt.Errorf("credential: %w", err)
	}
	var sealed []byte
	if secret != nil {
		if sealed, err = s.sealer.Seal(Label(c.NamespaceID, c.ID), []byte(text)); err != nil {
			return fmt.Errorf("credential: %w", err)
		}
	}
	return s.db.Update(ctx, func(tx *sql.Tx) error {
		if err := onlyDefault(ctx, tx, c); err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, `UPDATE credentials SET name = ?, name_key = ?, provider = ?, type = ?, public = ?, provider_default = ?, in_tasks = ?,
			updated_at = ? WHERE id = ? AND namespace_id = ?`, c.Name, strings.ToLower(c.Name), c.Kind.Provider, c.Kind.Type, string(public), c.Default,
			c.InTasks, s.now().Unix(), c.ID, c.NamespaceID)
		if err != nil {
			return stored(err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrNotFound, err)
		}
		if secret != nil {
			if _, err := tx.ExecContext(ctx, "UPDATE credentials SET sealed = ? WHERE id = ?", sealed, c.ID); err != nil {
				return stored(err)
			}
		}
		return s.record(ctx, tx, activity.CredentialChanged, c.NamespaceID, c.Name)
	})
}

// record writes a line of the audit log about a credential.
func (s *Credentials) record(ctx context.Context, tx *sql.Tx, event activity.Event, namespaceID, name string) error {
	return activity.RecordBy(ctx, tx, s.now(), event, name+" of namespace "+namespaceID)
}

// Remove forgets a credential. The error is of class ErrNotFound.
func (s *Credentials) Remove(ctx context.Context, namespaceID, name string) error {
	return s.db.Update(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "DELETE FROM credentials WHERE namespace_id = ? AND name_key = ?", namespaceID, strings.ToLower(name))
		if err != nil {
			return fmt.Errorf("credential: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrNotFound, err)
		}
		return s.record(ctx, tx, activity.CredentialRemoved, namespaceID, name)
	})
}

// ByName returns a credential of a namespace, whatever the case of its name. The error is of class ErrNotFound.
func (s *Credentials) ByName(ctx context.Context, namespaceID, name string) (Credential, error) {
	list, err := s.query(ctx, "namespace_id = ? AND name_key = ?", namespaceID, strings.ToLower(name))
	if err == nil && len(list) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Credential{}, err
	}
	return list[0], nil
}

// List returns the credentials of a namespace by name; empty fields of the kind do not narrow.
func (s *Credentials) List(ctx context.Context, namespaceID string, k Kind) ([]Credential, error) {
	return s.query(ctx, "namespace_id = ? AND (? = '' OR provider = ?) AND (? = '' OR type = ?)", namespaceID, k.Provider, k.Provider, k.Type, k.Type)
}

func (s *Credentials) query(ctx context.Context, where string, args ...any) ([]Credential, error) {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT id, namespace_id, name, provider, type, public, provider_default, in_tasks, created_at, updated_at
		FROM credentials WHERE `+where+" ORDER BY name_key", args...)
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	defer rows.Close()
	var list []Credential
	for rows.Next() {
		var c Credential
		var public string
		var created, updated int64
		err := rows.Scan(&c.ID, &c.NamespaceID, &c.Name, &c.Kind.Provider, &c.Kind.Type, &public, &c.Default, &c.InTasks, &created, &updated)
		if err == nil {
			err = json.Unmarshal([]byte(public), &c.Public)
		}
		if err != nil {
			return nil, fmt.Errorf("credentials: %w", err)
		}
		c.CreatedAt, c.UpdatedAt = time.Unix(created, 0).UTC(), time.Unix(updated, 0).UTC()
		list = append(list, c)
	}
	return list, rows.Err()
}

// Package account holds users and the namespaces they own.
//
// A namespace is a name under which assets live; a user owns exactly one, of
// the same name, and an organization is one that its members share. Names keep
// the case they were given and are unique whatever the case, those of users and
// of organizations together.
//
// Passwords are kept as Argon2id hashes. Checking one costs the same whether
// the user exists or not, and only a few are computed at a time, so a flood of
// log-ins costs time, not memory.
package account

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"azulejo/internal/access"
	"azulejo/internal/activity"
	"azulejo/internal/db"
)

// Error classes.
var (
	ErrInvalid     = errors.New("invalid account data")
	ErrExists      = errors.New("already exists")
	ErrNotFound    = errors.New("no such user")
	ErrCredentials = errors.New("wrong user name or password")
)

// User is one account, as a value. It carries no secret.
type User struct {
	ID          string // UUID
	NamespaceID string // UUID of the namespace the user owns
	Name        string // user name, also the namespace's name
	FullName    string
	Email       string
	Admin       bool
	Disabled    bool
	// Service is the UUID of the organization that a service account belongs to, empty for a person.
	Service   string
	CreatedAt time.Time // UTC, seconds
}

// Namespace is the place of assets, as a value.
type Namespace struct {
	ID           string // UUID
	Name         string // in the case it was made with
	Organization bool   // it is an organization's, not a user's
}

// NewUser is what Create needs.
type NewUser struct {
	Name     string
	Password string
	FullName string
	Email    string
	Admin    bool
	// Waiting makes the account disabled until Approve.
	Waiting bool
}

// Accounts reads and writes accounts. It is safe for concurrent use.
type Accounts struct {
	db     *db.DB
	now    func() time.Time
	hasher hasher
	seen   recent
	// namespaces remembers what Namespace found until one changes.
	namespaces *db.Memo[string, Namespace]
	// memberships remembers by user what Memberships found until one changes.
	memberships *db.Memo[string, []access.Membership]
}

// New returns the accounts in d. At most hashers password hashes are computed
// at a time, each taking 19 MiB for its duration.
func New(d *db.DB, now func() time.Time, hashers int) *Accounts {
	return &Accounts{db: d, now: now, hasher: newHasher(hashers), seen: newRecent(now), namespaces: db.NewMemo[string, Namespace](d, now),
		memberships: db.NewMemo[string, []access.Membership](d, now)}
}

// Create makes a user and its namespace. The error is of class ErrInvalid for a
// name or password that will not do and ErrExists for a name that is taken.
func (a *Accounts) Create(ctx context.Context, n NewUser) (User, error) {
	if err := CheckName(n.Name); err != nil {
		return User{}, err
	}
	if err := CheckPassword(n.Password); err != nil {
		return User{}, err
	}
	if err := checkMail(n.Email); err != nil {
		return User{}, err
	}
	hash, err := a.hasher.hash(ctx, n.Password)
	if err != nil {
		return User{}, err
	}
	var u User
	err = a.update(ctx, func(tx *sql.Tx) error {
		if u, err = a.insert(ctx, tx, n, hash); err != nil {
			return err
		}
		return activity.RecordBy(ctx, tx, a.now(), activity.UserCreated, u.Name)
	})
	return u, err
}

func (a *Accounts) insert(ctx context.Context, tx *sql.Tx, n NewUser, hash string) (User, error) {
	u := User{ID: uuid.NewString(), NamespaceID: uuid.NewString(), Name: n.Name, FullName: n.FullName, Email: n.Email,
		Admin: n.Admin, Disabled: n.Waiting, CreatedAt: a.now().UTC().Truncate(time.Second)}
	var disabled any
	if n.Waiting {
		disabled = u.CreatedAt.Unix()
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO namespaces (id, name, name_key, kind, created_at) VALUES (?, ?, ?, 'user', ?)",
		u.NamespaceID, u.Name, key(u.Name), u.CreatedAt.Unix())
	if db.IsTaken(err) {
		return User{}, fmt.Errorf("the name %q %w", n.Name, ErrExists)
	}
	if err != nil {
		return User{}, fmt.Errorf("new namespace: %w", err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO users (id, namespace_id, full_name, email, password_hash, admin, created_at, disabled_at, waiting)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, u.ID, u.NamespaceID, u.FullName, u.Email, hash, u.Admin, u.CreatedAt.Unix(), disabled, n.Waiting)
	if err != nil {
		return User{}, fmt.Errorf("new user: %w", err)
	}
	return u, nil
}

// AdminName is the name of the user that the first start makes.
const AdminName = "admin"

// EnsureAdmin makes the user admin unless it exists. An empty password means
// that one is generated: it is returned this once and can never be read again.
// generated is empty if the password was given or the user existed; in the
// latter case the given password is ignored.
func (a *Accounts) EnsureAdmin(ctx context.Context, password string) (generated string, made bool, err error) {
	switch _, err := a.ByName(ctx, AdminName); {
	case err == nil:
		return "", false, nil
	case !errors.Is(err, ErrNotFound):
		return "", false, err
	}
	if password == "" {
		generated = rand.Text()
		password = generated
	}
	_, err = a.Create(ctx, NewUser{Name: AdminName, Password: password, Admin: true})
	if errors.Is(err, ErrExists) { // another process was first
		return "", false, nil
	}
	return generated, err == nil, err
}

const userColumns = `users.id, namespaces.id, namespaces.name, full_name, email, admin, disabled_at IS NOT NULL, users.created_at,
	coalesce(service_accounts.organization_id, ''), password_hash FROM users JOIN namespaces ON namespaces.id = users.namespace_id
	LEFT JOIN service_accounts ON service_accounts.user_id = users.id`

func (a *Accounts) find(ctx context.Context, where string, arg any) (u User, hash string, err error) {
	var created int64
	err = a.db.Read().QueryRowContext(ctx, "SELECT "+userColumns+" WHERE "+where, arg).
		Scan(&u.ID, &u.NamespaceID, &u.Name, &u.FullName, &u.Email, &u.Admin, &u.Disabled, &created, &u.Service, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return User{}, "", ErrNotFound
	}
	if err != nil {
		return User{}, "", fmt.Errorf("user: %w", err)
	}
	u.CreatedAt = time.Unix(created, 0).UTC()
	return u, hash, nil
}

// ByID returns the user with the given UUID, or an error of class ErrNotFound.
func (a *Accounts) ByID(ctx context.Context, id string) (User, error) {
	u, _, err := a.find(ctx, "users.id = ?", id)
	return u, err
}

// ByName returns the user of the given name, whatever its case, or an error of
// class ErrNotFound.
func (a *Accounts) ByName(ctx context.Context, name string) (User, error) {
	u, _, err := a.find(ctx, "namespaces.name_key = ?", key(name))
	return u, err
}

// Namespace returns the namespace of the given name, whatever its case, or of
// the given UUID, or an error of class ErrNotFound.
func (a *Accounts) Namespace(ctx context.Context, name string) (Namespace, error) {
	return a.namespaces.Get(ctx, name, func() (Namespace, error) { return a.namespace(ctx, name) })
}

func (a *Accounts) namespace(ctx context.Context, name string) (Namespace, error) {
	var n Namespace
	err := a.db.Read().QueryRowContext(ctx, "SELECT id, name, kind = 'organization' FROM namespaces WHERE name_key = ? OR id = ?",
		key(name), strings.ToLower(name)).Scan(&n.ID, &n.Name, &n.Organization)
	if errors.Is(err, sql.ErrNoRows) {
		return Namespace{}, ErrNotFound
	}
	if err != nil {
		return Namespace{}, fmt.Errorf("namespace: %w", err)
	}
	return n, nil
}

// List returns all users by name.
func (a *Accounts) List(ctx context.Context) ([]User, error) {
	return a.list(ctx, "ORDER BY namespaces.name_key")
}

func (a *Accounts) list(ctx context.Context, which string, args ...any) ([]User, error) {
	rows, err := a.db.Read().QueryContext(ctx, "SELECT "+userColumns+" "+which, args...)
	if err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	defer rows.Close()
	var list []User
	for rows.Next() {
		var u User
		var created int64
		var hash string
		if err := rows.Scan(&u.ID, &u.NamespaceID, &u.Name, &u.FullName, &u.Email, &u.Admin, &u.Disabled, &created, &u.Service, &hash); err != nil {
			return nil, fmt.Errorf("users: %w", err)
		}
		u.CreatedAt = time.Unix(created, 0).UTC()
		list = append(list, u)
	}
	return list, rows.Err()
}

// SetPassword gives the user a new password. Error classes: ErrInvalid,
// ErrNotFound.
func (a *Accounts) SetPassword(ctx context.Context, userID, password string) error {
	if err := CheckPassword(password); err != nil {
		return err
	}
	hash, err := a.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	return a.change(ctx, "UPDATE users SET password_hash = ? WHERE id = ? AND id NOT IN (SELECT user_id FROM service_accounts)", hash, userID)
}

// SetDisabled disables or enables the user. From then on neither its password
// nor any of its tokens is accepted (tokens within a second, see token.Tokens).
// The error is of class ErrNotFound if there is no such user.
func (a *Accounts) SetDisabled(ctx context.Context, userID string, disabled bool) error {
	event, at := activity.UserEnabled, any(nil)
	if disabled {
		event, at = activity.UserDisabled, a.now().Unix()
	}
	return a.update(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "UPDATE users SET disabled_at = ? WHERE id = ?", at, userID)
		if err != nil {
			return fmt.Errorf("user: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrNotFound, err)
		}
		return activity.RecordBy(ctx, tx, a.now(), event, "user "+userID)
	})
}

func (a *Accounts) change(ctx context.Context, stmt string, args ...any) error {
	return a.update(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, stmt, args...)
		if err != nil {
			return fmt.Errorf("user: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrNotFound, err)
		}
		return nil
	})
}

// update is db.DB.Update for everything that changes users and namespaces.
func (a *Accounts) update(ctx context.Context, fn func(tx *sql.Tx) error) error {
	defer a.namespaces.Forget()
	defer a.memberships.Forget()
	return a.db.Update(ctx, fn)
}

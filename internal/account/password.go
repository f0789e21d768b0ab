package account

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/argon2"
)

// Argon2id parameters: 19 MiB, two passes, one lane, the smallest of the sets
// that OWASP recommends. They are stored with each hash, so raising them later
// keeps old hashes valid.
const (
	hashMemory = 19 * 1024 // KiB
	hashPasses = 2
	hashLanes  = 1
	saltLen    = 16
	keyLen     = 32
)

// errHash means that a stored hash cannot be read.
var errHash = errors.New("stored password hash is damaged")

// hasher bounds how many hashes are computed at a time.
type hasher struct{ slots chan struct{} }

func newHasher(n int) hasher { return hasher{make(chan struct{}, max(n, 1))} }

func (h hasher) enter(ctx context.Context) error {
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("password: %w", ctx.Err())
	}
}

func (h hasher) leave() { <-h.slots }

// hash returns the text to store for a password.
func (h hasher) hash(ctx context.Context, password string) (string, error) {
	if err := h.enter(ctx); err != nil {
		return "", err
	}
	defer h.leave()
	salt := make([]byte, saltLen)
	rand.Read(salt)
	sum := argon2.IDKey([]byte(password), salt, hashPasses, hashMemory, hashLanes, keyLen)
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, hashMemory, hashPasses, hashLanes, b64(salt), b64(sum)), nil
}

// check reports whether password belongs to the stored text.
func (h hasher) check(ctx context.Context, stored, password string) (bool, error) {
	var version, memory, passes, lanes uint32
	parts := strings.Split(stored, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false, errHash
	}
	if _, err := fmt.Sscanf(parts[2]+" "+parts[3], "v=%d m=%d,t=%d,p=%d", &version, &memory, &passes, &lanes); err != nil {
		return false, errHash
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	want, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(want) == 0 || version != argon2.Version || passes == 0 || lanes == 0 || lanes > 255 || memory > 1<<20 {
		return false, errHash
	}
	if err := h.enter(ctx); err != nil {
		return false, err
	}
	defer h.leave()
	got := argon2.IDKey([]byte(password), salt, passes, memory, uint8(lanes), uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}

// nobody is the hash compared against when the user does not exist: same
// parameters, so same cost. No password is known for it.
const nobody = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// Verify returns the user whose name (whatever its case) and password these
// are. Every refusal is ErrCredentials and costs the same: unknown user, wrong
// password, disabled user.
func (a *Accounts) Verify(ctx context.Context, name, password string) (User, error) {
	u, stored, err := a.find(ctx, "namespaces.name_key = ?", key(name))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return User{}, err
	}
	known := err == nil
	if !known {
		stored = nobody
	}
	if len(password) > maxPassword {
		password = password[:maxPassword+1] // never equal to a valid one
	}
	if known && a.seen.has(stored, password) {
		return a.admit(u)
	}
	ok, err := a.hasher.check(ctx, stored, password)
	if err != nil {
		return User{}, err
	}
	if !ok || !known {
		return User{}, ErrCredentials
	}
	a.seen.add(stored, password)
	return a.admit(u)
}

func (a *Accounts) admit(u User) (User, error) {
	if u.Disabled {
		return User{}, ErrCredentials
	}
	return u, nil
}

// recent remembers for a minute which passwords were right: clients that log in
// by name and password send them with every request, and a hash for each would
// cost 20 ms of processor time. It keeps a keyed digest under a key that never
// leaves the process, bound to the stored hash, so a changed password is
// forgotten at once.
type recent struct {
	now func() time.Time
	key []byte
	*recentSet
}

type recentSet struct {
	mu    sync.Mutex // guards until
	until map[[sha256.Size]byte]time.Time
}

const (
	recentLife = time.Minute
	recentMax  = 1024
)

func newRecent(now func() time.Time) recent {
	key := make([]byte, sha256.Size)
	rand.Read(key)
	return recent{now: now, key: key, recentSet: &recentSet{until: map[[sha256.Size]byte]time.Time{}}}
}

func (r recent) digest(stored, password string) (sum [sha256.Size]byte) {
	mac := hmac.New(sha256.New, r.key)
	mac.Write([]byte(stored))
	mac.Write([]byte{0})
	mac.Write([]byte(password))
	mac.Sum(sum[:0])
	return sum
}

func (r recent) has(stored, password string) bool {
	d := r.digest(stored, password)
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now().Before(r.until[d])
}

func (r recent) add(stored, password string) {
	d := r.digest(stored, password)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.until) >= recentMax {
		clear(r.until)
	}
	r.until[d] = r.now().Add(recentLife)
}

// Package factor holds second factors: codes of six digits that a user's device makes from a shared secret and the time
// (RFC 6238: SHA-1, steps of 30 seconds), and recovery codes for who lost the device.
//
// The secret is kept under the operator's key. A code is good once, in its step and the two beside it; recovery codes are
// kept as hashes and are good once each.
package factor

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"azulejo/internal/activity"
	"azulejo/internal/db"
)

// Error classes.
var (
	// ErrCode is a code that is wrong, too old, or used.
	ErrCode = errors.New("wrong code of the second factor")
	// ErrNone means that the user has no second factor, or none that waits for its confirmation.
	ErrNone = errors.New("there is no such second factor")
	// ErrExists means that the user has one already.
	ErrExists = errors.New("there is a second factor already; remove it first")
)

const (
	secretBytes = 20
	step        = 30 // seconds
	digits      = 1_000_000
	recoveries  = 8
	codeChars   = 16 // of a recovery code, 5 bits each
)

// Sealer encrypts secrets under the operator's key. A label must be the same for both directions.
type Sealer interface {
	Seal(label string, plain []byte) ([]byte, error)
	Unseal(label string, sealed []byte) ([]byte, error)
}

// Factors reads and writes second factors. It is safe for concurrent use.
type Factors struct {
	db     *db.DB
	now    func() time.Time
	sealer Sealer
}

// New returns the second factors in d.
func New(d *db.DB, now func() time.Time, s Sealer) *Factors {
	return &Factors{db: d, now: now, sealer: s}
}

func label(userID string) string { return "second factor " + userID }

// Code returns the code of a secret at a time step.
func Code(secret []byte, at int64) string {
	mac := hmac.New(sha1.New, secret)
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(at))
	mac.Write(counter[:])
	sum := mac.Sum(nil)
	from := sum[len(sum)-1] & 15
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[from:])&0x7fffffff%digits)
}

// Step returns the time step of a time.
func Step(t time.Time) int64 { return t.Unix() / step }

// Enrolment is what a device needs to make codes, shown this once.
type Enrolment struct {
	Secret string // base32, for typing
	URI    string // otpauth://, for pictures
}

// Enrol makes a secret for a user. It is not asked for before Confirm; a second call replaces one that was not confirmed. The
// error is of class ErrExists.
func (f *Factors) Enrol(ctx context.Context, userID, name string) (Enrolment, error) {
	secret := make([]byte, secretBytes)
	rand.Read(secret)
	sealed, err := f.sealer.Seal(label(userID), secret)
	if err != nil {
		return Enrolment{}, fmt.Errorf("second factor: %w", err)
	}
	err = f.db.Update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM second_factors WHERE user_id = ? AND confirmed_at IS NULL", userID); err != nil {
			return fmt.Errorf("second factor: %w", err)
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO second_factors (user_id, sealed) VALUES (?, ?)", userID, sealed)
		if db.IsTaken(err) {
			return ErrExists
		}
		if err != nil {
			return fmt.Errorf("second factor: %w", err)
		}
		return nil
	})
	if err != nil {
		return Enrolment{}, err
	}
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)
	return Enrolment{Secret: text, URI: "otpauth://totp/Azulejo:" + url.PathEscape(name) + "?issuer=Azulejo&secret=" + text}, nil
}

// row is one second factor as stored.
type row struct {
	secret    []byte
	confirmed bool
	last      int64
	recovery  []string
}

func (f *Factors) row(ctx context.Context, q db.Querier, userID string) (row, error) {
	var r row
	var sealed []byte
	var recovery string
	err := q.QueryRowContext(ctx, "SELECT sealed, confirmed_at IS NOT NULL, last_step, recovery FROM second_factors WHERE user_id = ?", userID).
		Scan(&sealed, &r.confirmed, &r.last, &recovery)
	if errors.Is(err, sql.ErrNoRows) {
		return row{}, ErrNone
	}
	if err == nil {
		r.secret, err = f.sealer.Unseal(label(userID), sealed)
	}
	if err != nil {
		return row{}, fmt.Errorf("second factor: %w", err)
	}
	r.recovery = strings.Fields(recovery)
	return r, nil
}

// Required reports whether a user signs in with a code.
func (f *Factors) Required(ctx context.Context, userID string) (bool, error) {
	var n int
	err := f.db.Read().QueryRowContext(ctx, "SELECT count(*) FROM second_factors WHERE user_id = ? AND confirmed_at IS NOT NULL", userID).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("second factor: %w", err)
	}
	return n > 0, nil
}

// Confirm makes a user's new second factor count, from a code that shows that the device works, and returns its recovery
// codes, which are kept nowhere. Error classes: ErrCode, ErrNone, ErrExists.
func (f *Factors) Confirm(ctx context.Context, userID, code string) ([]string, error) {
	codes, hashes := make([]string, recoveries), make([]string, recoveries)
	for i := range codes {
		codes[i] = rand.Text()[:codeChars]
		hashes[i] = hash(codes[i])
	}
	return codes, f.db.Update(ctx, func(tx *sql.Tx) error {
		r, err := f.row(ctx, tx, userID)
		if err != nil {
			return err
		}
		if r.confirmed {
			return ErrExists
		}
		at, ok := r.match(f.now(), code)
		if !ok {
			return ErrCode
		}
		err = set(ctx, tx, "UPDATE second_factors SET confirmed_at = ?, last_step = ?, recovery = ? WHERE user_id = ?",
			f.now().Unix(), at, strings.Join(hashes, " "), userID)
		if err != nil {
			return err
		}
		return activity.RecordBy(ctx, tx, f.now(), activity.FactorConfirmed, "of user "+userID)
	})
}

func set(ctx context.Context, tx *sql.Tx, stmt string, args ...any) error {
	if _, err := tx.ExecContext(ctx, stmt, args...); err != nil {
		return fmt.Errorf("second factor: %w", err)
	}
	return nil
}

// match returns the time step of a code that was not used.
func (r row) match(now time.Time, code string) (int64, bool) {
	for at := Step(now) - 1; at <= Step(now)+1; at++ {
		if at > r.last && subtle.ConstantTimeCompare([]byte(Code(r.secret, at)), []byte(code)) == 1 {
			return at, true
		}
	}
	return 0, false
}

func hash(code string) string {
	sum := sha256.Sum256([]byte(code))
	return hex.EncodeToString(sum[:])
}

// Use takes a code, of the device or for recovery, which then is used up. The error is of class ErrCode, or ErrNone if the user
// has no second factor that counts.
func (f *Factors) Use(ctx context.Context, userID, code string) error {
	code = strings.ToUpper(strings.Join(strings.FieldsFunc(code, func(r rune) bool { return r == ' ' || r == '-' }), ""))
	return f.db.Update(ctx, func(tx *sql.Tx) error {
		r, err := f.row(ctx, tx, userID)
		if err == nil && !r.confirmed {
			err = ErrNone
		}
		if err != nil {
			return err
		}
		if at, ok := r.match(f.now(), code); ok {
			return set(ctx, tx, "UPDATE second_factors SET last_step = ? WHERE user_id = ?", at, userID)
		}
		i := slices.Index(r.recovery, hash(code))
		if len(code) != codeChars || i < 0 {
			return ErrCode
		}
		left := slices.Delete(r.recovery, i, i+1)
		if err := set(ctx, tx, "UPDATE second_factors SET recovery = ? WHERE user_id = ?", strings.Join(left, " "), userID); err != nil {
			return err
		}
		return activity.RecordBy(ctx, tx, f.now(), activity.RecoveryUsed, fmt.Sprintf("of user %s, %d are left", userID, len(left)))
	})
}

// Remove ends a user's second factor; whether a code is asked for it is the caller's. The error is of class ErrNone.
func (f *Factors) Remove(ctx context.Context, userID string) error {
	return f.db.Update(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "DELETE FROM second_factors WHERE user_id = ?", userID)
		if err != nil {
			return fmt.Errorf("second factor: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrNone, err)
		}
		return activity.RecordBy(ctx, tx, f.now(), activity.FactorRemoved, "of user "+userID)
	})
}

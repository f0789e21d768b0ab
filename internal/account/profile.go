package account

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"time"

	"azulejo/internal/activity"
)

// Profile is what a user says about itself beyond its name and address; none of it decides anything but Charged.
type Profile struct {
	Company  string `json:"company,omitempty"`
	Logo     string `json:"logo,omitempty"`
	Timezone string `json:"timezone,omitempty"` // an IANA name, or empty
	Region   string `json:"region,omitempty"`
	// Charged is the namespace whose cost the user's work is unless the request says so; empty for the user's own.
	Charged string `json:"charged,omitempty"`
	// EmailConfirmed tells that the user showed that the mail address is its own. UpdateProfile does not set it.
	EmailConfirmed bool `json:"-"`
}

// Place is where assets of a kind go: a storage URI and the name of the credentials that reach it.
type Place struct {
	Path        string `json:"path,omitempty"`
	Credentials string `json:"credentials,omitempty"`
}

// Defaults say where a namespace's new assets go. An empty Place leaves it to the server.
type Defaults struct {
	Place
	// Kinds are places for single kinds of asset: arrays, files, groups, ml_models, notebooks, task_graphs, udfs.
	Kinds map[string]Place `json:"kinds,omitempty"`
}

// AssetKinds are the kinds of asset that can have a default place of their own, in published order.
func AssetKinds() []string {
	return []string{"arrays", "files", "groups", "ml_models", "notebooks", "task_graphs", "udfs"}
}

// ProfilePatch changes a profile; nil fields stay.
type ProfilePatch struct {
	FullName, Email                          *string
	Company, Logo, Timezone, Region, Charged *string
}

// Profile returns a user's profile, or an error of class ErrNotFound.
func (a *Accounts) Profile(ctx context.Context, userID string) (Profile, error) {
	var text string
	var p Profile
	err := a.db.Read().QueryRowContext(ctx, "SELECT profile, email_confirmed FROM users WHERE id = ?", userID).Scan(&text, &p.EmailConfirmed)
	if errors.Is(err, sql.ErrNoRows) {
		return Profile{}, ErrNotFound
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &p)
	}
	if err != nil {
		return Profile{}, fmt.Errorf("profile: %w", err)
	}
	return p, nil
}

// ConfirmedEmail returns a user's mail address if the user showed that it is its own, else "". The error is of class
// ErrNotFound.
func (a *Accounts) ConfirmedEmail(ctx context.Context, userID string) (string, error) {
	var address string
	var confirmed bool
	err := a.db.Read().QueryRowContext(ctx, "SELECT email, email_confirmed FROM users WHERE id = ?", userID).Scan(&address, &confirmed)
	if errors.Is(err, sql.ErrNoRows) {
		return "", ErrNotFound
	}
	if err != nil {
		return "", fmt.Errorf("mail address: %w", err)
	}
	if !confirmed {
		return "", nil
	}
	return address, nil
}

// DefaultRegion returns the region where the user with a namespace wants what it makes, "" if it does not care, or nobody has the namespace
// alone.
func (a *Accounts) DefaultRegion(ctx context.Context, namespaceID string) (string, error) {
	var text string
	var p Profile
	err := a.db.Read().QueryRowContext(ctx, "SELECT profile FROM users WHERE namespace_id = ?", namespaceID).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &p)
	}
	if err != nil {
		return "", fmt.Errorf("default region: %w", err)
	}
	return p.Region, nil
}

// UpdateProfile changes what a user says about itself. A new mail address is not confirmed. Error classes: ErrInvalid,
// ErrNotFound.
func (a *Accounts) UpdateProfile(ctx context.Context, userID string, patch ProfilePatch) error {
	u, err := a.ByID(ctx, userID)
	if err != nil {
		return err
	}
	p, err := a.Profile(ctx, userID)
	if err != nil {
		return err
	}
	oldMail := u.Email
	for _, f := range []struct{ to, from *string }{{&u.FullName, patch.FullName}, {&u.Email, patch.Email}, {&p.Company, patch.Company},
		{&p.Logo, patch.Logo}, {&p.Timezone, patch.Timezone}, {&p.Region, patch.Region}, {&p.Charged, patch.Charged}} {
		if f.from != nil {
			*f.to = *f.from
		}
		if len(*f.to) > maxProfileText {
			return fmt.Errorf("%w: a text has at most 1 MiB", ErrInvalid)
		}
	}
	if err := checkProfile(u, p); err != nil {
		return err
	}
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	return a.change(ctx, "UPDATE users SET full_name = ?, email = ?, profile = ?, email_confirmed = email_confirmed AND ? WHERE id = ?",
		u.FullName, u.Email, string(text), u.Email == oldMail, userID)
}

// checkMail returns nil for a mail address and for none.
func checkMail(address string) error {
	if address == "" {
		return nil
	}
	return CheckMail(address)
}

// maxMail is the length of a mail address in bytes that mail servers take.
const maxMail = 254

// CheckMail returns nil for a mail address as such, without a name, else an error of class ErrInvalid.
func CheckMail(address string) error {
	if at, err := mail.ParseAddress(address); err != nil || at.Address != address || len(address) > maxMail {
		return fmt.Errorf("%w: %q is no mail address", ErrInvalid, address)
	}
	return nil
}

func checkProfile(u User, p Profile) error {
	if err := checkMail(u.Email); err != nil {
		return err
	}
	if p.Timezone != "" {
		if _, err := time.LoadLocation(p.Timezone); err != nil || p.Timezone == "Local" {
			return fmt.Errorf("%w: %q is no time zone, such as Europe/Lisbon", ErrInvalid, p.Timezone)
		}
	}
	return nil
}

// ConfirmEmail records that the user showed that its mail address is its own, if it still is that one. The error is of class
// ErrNotFound.
func (a *Accounts) ConfirmEmail(ctx context.Context, userID, address string) error {
	return a.change(ctx, "UPDATE users SET email_confirmed = ? WHERE id = ? AND email = ?", true, userID, address)
}

// ByEmail returns the users who are let in and gave a mail address, whatever its case, at most limit, by name.
func (a *Accounts) ByEmail(ctx context.Context, address string, limit int) ([]User, error) {
	if address == "" {
		return nil, nil
	}
	return a.list(ctx, "WHERE lower(email) = ? AND disabled_at IS NULL ORDER BY namespaces.name_key LIMIT ?", strings.ToLower(address), limit)
}

// Approve lets a user in who signed up and waits for it. The error is of class ErrNotFound if nobody of that UUID waits.
func (a *Accounts) Approve(ctx context.Context, userID string) error {
	return a.change(ctx, "UPDATE users SET waiting = ?, disabled_at = NULL WHERE id = ? AND waiting = ?", false, userID, true)
}

// Defaults returns where a namespace's new assets go, or an error of class ErrNotFound.
func (a *Accounts) Defaults(ctx context.Context, namespaceID string) (Defaults, error) {
	var text string
	err := a.db.Read().QueryRowContext(ctx, "SELECT defaults FROM namespaces WHERE id = ?", namespaceID).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return Defaults{}, ErrNotFound
	}
	var d Defaults
	if err == nil {
		err = json.Unmarshal([]byte(text), &d)
	}
	if err != nil {
		return Defaults{}, fmt.Errorf("default places: %w", err)
	}
	return d, nil
}

// SetDefaults says where a namespace's new assets go. Whether the namespace may use the places is the caller's to check.
func (a *Accounts) SetDefaults(ctx context.Context, namespaceID string, d Defaults) error {
	text, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("default places: %w", err)
	}
	return a.change(ctx, "UPDATE namespaces SET defaults = ? WHERE id = ?", string(text), namespaceID)
}

// Delete removes a user without assets who is not the last owner of an organization, with all of its tokens, memberships
// and what was shared to it. Error classes: ErrInUse, ErrLastOwner, ErrNotFound.
func (a *Accounts) Delete(ctx context.Context, userID string) error {
	u, err := a.ByID(ctx, userID)
	if err != nil {
		return err
	}
	if strings.EqualFold(u.Name, AdminName) {
		return fmt.Errorf("%w: the user %s cannot be deleted", ErrInvalid, AdminName)
	}
	in, err := a.Memberships(ctx, userID)
	if err != nil {
		return err
	}
	return a.update(ctx, func(tx *sql.Tx) error {
		if err := empty(ctx, tx, u.NamespaceID); err != nil {
			return err
		}
		for _, stmt := range []struct{ text, arg string }{{"DELETE FROM users WHERE id = ?", userID}, {"DELETE FROM namespaces WHERE id = ?", u.NamespaceID}} {
			if _, err := tx.ExecContext(ctx, stmt.text, stmt.arg); err != nil {
				return fmt.Errorf("user: %w", err)
			}
		}
		for _, m := range in {
			if err := owned(ctx, tx, m.NamespaceID); err != nil {
				return fmt.Errorf("organization %s: %w", m.Name, err)
			}
		}
		return activity.RecordBy(ctx, tx, a.now(), activity.UserDeleted, u.Name)
	})
}

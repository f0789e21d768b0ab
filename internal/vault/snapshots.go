package vault

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"syscall"
	"time"

	"azulejo/array"
	"azulejo/internal/access"
	"azulejo/internal/catalog"
	"azulejo/vfs"
)

// DefaultReadLife is how long the snapshot of an incomplete read stays after its last request, unless Limits say.
const DefaultReadLife = time.Hour

func (l Limits) readLife() time.Duration {
	if l.ReadLife > 0 {
		return l.ReadLife
	}
	return DefaultReadLife
}

// Suspend keeps the fragments and deletes that the array was opened with for the next request of a read, and returns the
// identifier for Reopen. It is empty where nothing can be written to the array's folder, so that through this server
// nobody can vacuum there either. The error wraps array.ErrSnapshotLost when something is gone already and the array has
// to be opened anew.
func (a *Array) Suspend(ctx context.Context) (string, error) {
	if err := permitPart(a.grant, a.asset, access.ArrayRead); err != nil {
		return "", err
	}
	if h, ok := a.arr.Held(); ok {
		return h.ID, nil
	}
	owner := sha256.Sum256([]byte(a.grant.Subject().UserID))
	h, err := a.arr.Hold(ctx, hex.EncodeToString(owner[:8]), time.Now().Add(a.vault.limits.readLife()))
	if unwritable(err) {
		return "", nil
	}
	a.suspended = h
	return h.ID, err
}

// unwritable reports whether an error says that nothing can be written to a place.
func unwritable(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.ENOSPC)
}

// Pin returns the names of the fragments and deletes that the array was opened with, for a read whose snapshot could not be
// kept.
func (a *Array) Pin() []string { return a.arr.Pin() }

// EndRead gives up what Suspend keeps, once the read is complete.
func (a *Array) EndRead(ctx context.Context) error {
	h, ok := a.arr.Held()
	if !ok {
		h = a.suspended
	}
	if h.ID == "" {
		return nil
	}
	return h.Release(ctx, a.arr)
}

// Reopen opens the snapshot that Suspend kept, and keeps it for longer. The error wraps array.ErrSnapshotLost when it is
// gone.
func (v *Vault) Reopen(ctx context.Context, g access.Grant, a catalog.Asset, id string) (*Array, error) {
	arr, err := v.open(ctx, g, a, array.Latest(), array.WithHold(id))
	if err != nil {
		return nil, err
	}
	life := v.limits.readLife()
	if h, ok := arr.arr.Held(); ok && time.Until(h.Until) < life/2 {
		// Another request that repeats this one may have renewed it at the same moment.
		if err := h.Renew(ctx, arr.arr, time.Now().Add(life)); err != nil && !unwritable(err) && !errors.Is(err, vfs.ErrNotExist) {
			return nil, err
		}
	}
	return arr, nil
}

// ReopenNamed opens just the fragments with which an incomplete read began whose snapshot could not be kept. The error
// wraps array.ErrSnapshotLost when one is gone.
func (v *Vault) ReopenNamed(ctx context.Context, g access.Grant, a catalog.Asset, at array.Interval, names []string) (*Array, error) {
	return v.open(ctx, g, a, at, array.WithFragments(names))
}

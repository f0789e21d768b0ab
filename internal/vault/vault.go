// Package vault is the only door from the server to stored arrays and groups. It takes a grant and an asset and hands out
// views made with that grant; no store and no URI leave it, so that whatever a grant withholds has no way round.
//
// A view does just what its grant's action allows: a grant to read opens no write. A grant that covers only a part of an
// array is refused by everything that does not apply it (part.go).
package vault

import (
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"time"

	"azulejo/array"
	"azulejo/filter"
	"azulejo/group"
	"azulejo/internal/access"
	"azulejo/internal/catalog"
	"azulejo/internal/gate"
	"azulejo/internal/pool"
	"azulejo/schema"
	"azulejo/vfs"
)

// Vault opens what the catalogue knows. It is safe for concurrent use.
type Vault struct {
	fs      vfs.FS
	catalog *catalog.Catalog
	cache   *array.Cache
	limits  Limits
	gate    *gate.Gate
	// evolving has the URIs of the arrays whose schemas are being changed.
	evolving *keyedLocks
	// ending has the names of the uploads that are being ended.
	ending *keyedLocks
	atWork *atWork
	// operators open the keys of encrypted arrays, the first one seals them; none when there can be no such arrays.
	operators []cipher.AEAD
}

// Limits bound what queries may hold.
type Limits struct {
	// CacheBytes is what the cache of schemas, fragment footers and cells may hold; 0 switches it off.
	CacheBytes int64
	// QueryBytes is what one query may hold, TotalBytes all that run at once.
	QueryBytes, TotalBytes int64
	// ReadLife is how long the snapshot of an incomplete read stays after its last request; 0 for DefaultReadLife.
	ReadLife time.Duration
	// Running is how many queries may compute at once, small and large ones counted by themselves; 0 means any number.
	Running int
	// Waiting is how many queries may wait, small and large ones counted by themselves; those of one user may be an eighth
	// of them. 0 means any number.
	Waiting int
}

// gate returns the limits of the way in.
func (l Limits) gate() gate.Limits {
	return gate.Limits{Bytes: l.TotalBytes, Running: l.Running, Waiting: l.Waiting, WaitingEach: (l.Waiting + 7) / 8}
}

// enter waits in turn until a query of the grant's subject may hold nBytes. The pass must be left.
func (v *Vault) enter(ctx context.Context, g access.Grant, nBytes int64) (*gate.Pass, error) {
	p, err := v.gate.Enter(ctx, g.Subject().UserID, nBytes)
	if err != nil {
		return nil, fmt.Errorf("waiting for memory: %w", err)
	}
	return p, nil
}

// Hold waits in turn with others until nBytes may be held, and returns the function that gives them back. The error wraps
// gate.ErrBusy when too many wait, pool.ErrBudget when there is never so much.
func (v *Vault) Hold(ctx context.Context, g access.Grant, nBytes int64) (leave func(), err error) {
	if nBytes > v.limits.TotalBytes {
		return nil, fmt.Errorf("%w: %d bytes wanted, all queries have %d", pool.ErrBudget, nBytes, v.limits.TotalBytes)
	}
	pass, err := v.enter(ctx, g, nBytes)
	if err != nil {
		return nil, err
	}
	return pass.Leave, nil
}

// Queue returns what the running queries hold and how many wait.
func (v *Vault) Queue() gate.Counts { return v.gate.Counts() }

// New returns the vault over a catalogue whose assets lie in fs.
func New(fs vfs.FS, c *catalog.Catalog, l Limits) *Vault {
	return &Vault{fs: fs, catalog: c, cache: array.NewCache(l.CacheBytes), limits: l, gate: gate.New(l.gate()), evolving: newKeyedLocks(), ending: newKeyedLocks(),
		atWork: &atWork{running: map[string]map[*running]bool{}}}
}

// CacheCounts returns the counters of the cache by what is kept: "description" for schemas, footers and what belongs to
// them, "cells" for parts of tiles.
func (v *Vault) CacheCounts() map[string]array.CacheCounts {
	descriptions, cells := v.cache.Counts()
	return map[string]array.CacheCounts{"description": descriptions, "cells": cells}
}

// permit refuses a grant that is for another asset, for none of the actions, or for a part of the asset.
func permit(g access.Grant, a catalog.Asset, actions ...access.Action) error {
	for _, action := range actions {
		if g.Action() != action {
			continue
		}
		if err := g.Permits(action, a.ID); err != nil {
			return err
		}
		if !g.Everything() {
			return fmt.Errorf("%w: only a part of the array is shared to you, and this is about all of it", access.ErrDenied)
		}
		return nil
	}
	return fmt.Errorf("%w: the grant is for another action", access.ErrDenied)
}

// CreateArray makes an array and its catalogue entry; both or neither. The grant is for creating in a namespace.
func (v *Vault) CreateArray(ctx context.Context, g access.Grant, n catalog.NewAsset, s *schema.Array) (catalog.Asset, error) {
	n.Kind, n.ArrayType = catalog.Array, TypeName(s.Type)
	return v.catalog.Create(ctx, g, n, func(ctx context.Context, at catalog.Location) error {
		return array.Create(ctx, v.fs, at.URI(), s)
	})
}

// RegisterArray gives an array that exists in storage a catalogue entry. The error wraps catalog.ErrNotFound when there
// is none. key is the key of an encrypted array, nil for none; it is tried, and kept under the operator's key. The error
// wraps array.ErrKey when it is not the array's.
func (v *Vault) RegisterArray(ctx context.Context, g access.Grant, n catalog.NewAsset, key []byte) (catalog.Asset, error) {
	n.Kind = catalog.Array
	tried, err := v.keep(g, &n, key)
	if err != nil {
		return catalog.Asset{}, err
	}
	return v.catalog.Register(ctx, g, n, func(ctx context.Context, at catalog.Location) (bool, error) {
		there, err := array.Exists(ctx, v.fs, at.URI())
		if err == nil && there && tried != nil {
			_, err = array.Open(ctx, v.fs, at.URI(), array.Latest(), array.SchemaOnly(), array.WithKey(tried))
		}
		return there, err
	})
}

// keep puts a key into what is to be registered, sealed, and returns it, nil for none.
func (v *Vault) keep(g access.Grant, n *catalog.NewAsset, key []byte) (*filter.Key, error) {
	if key == nil {
		return nil, nil
	}
	k, err := filter.NewKey(key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", array.ErrKey, err)
	}
	n.SealedKey, err = v.seal(g.Object().ID, key)
	return k, err
}

// DeleteArray removes an array and its catalogue entry.
func (v *Vault) DeleteArray(ctx context.Context, g access.Grant, a catalog.Asset) error {
	return v.catalog.Delete(ctx, g, a, func(ctx context.Context, at catalog.Location) error {
		if err := v.atWork.stop(ctx, a.ID); err != nil {
			return err
		}
		return v.remove(ctx, catalog.Array, at)
	})
}

// Transfer is catalog.Catalog.Transfer; the keys of what is encrypted go along.
func (v *Vault) Transfer(ctx context.Context, list []catalog.Handover, to map[catalog.Kind]access.Grant, name string) error {
	for i, h := range list {
		sealed := h.Asset.SealedKey()
		if len(sealed) == 0 {
			continue
		}
		plain, err := v.unseal(h.Asset.NamespaceID, sealed)
		if err != nil {
			return err
		}
		if list[i].SealedKey, err = v.seal(to[h.Asset.Kind].Object().ID, plain); err != nil {
			return err
		}
	}
	return v.catalog.Transfer(ctx, list, to, name)
}

// CreateGroup makes a group and its catalogue entry; both or neither.
func (v *Vault) CreateGroup(ctx context.Context, g access.Grant, n catalog.NewAsset) (catalog.Asset, error) {
	n.Kind = catalog.Group
	return v.catalog.Create(ctx, g, n, func(ctx context.Context, at catalog.Location) error {
		return group.Create(ctx, v.fs, at.URI())
	})
}

// RegisterGroup gives a group that exists in storage a catalogue entry. key is the key of an encrypted group, nil for none;
// it is tried on members and metadata, and kept as that of an array. The error wraps group.ErrKey when it is not the group's,
// or the group needs one.
func (v *Vault) RegisterGroup(ctx context.Context, g access.Grant, n catalog.NewAsset, key []byte) (catalog.Asset, error) {
	n.Kind = catalog.Group
	tried, err := v.keep(g, &n, key)
	if err != nil {
		return catalog.Asset{}, err
	}
	return v.catalog.Register(ctx, g, n, func(ctx context.Context, at catalog.Location) (bool, error) {
		there, err := group.Exists(ctx, v.fs, at.URI())
		if err != nil || !there {
			return there, err
		}
		opened, err := group.Open(ctx, v.fs, at.URI(), group.Latest(), group.WithKey(tried))
		if err == nil {
			_, err = opened.Metadata(ctx)
		}
		if tried == nil && !errors.Is(err, group.ErrKey) {
			err = nil // what else cannot be read shows when it is
		}
		return there, err
	})
}

// DeleteGroup removes a group and its catalogue entry, not its members.
func (v *Vault) DeleteGroup(ctx context.Context, g access.Grant, a catalog.Asset) error {
	return v.catalog.Delete(ctx, g, a, func(ctx context.Context, at catalog.Location) error {
		if err := v.atWork.stop(ctx, a.ID); err != nil {
			return err
		}
		return v.remove(ctx, catalog.Group, at)
	})
}

// Recover ends the creations and deletions that a crash interrupted; to be called before the server serves.
func (v *Vault) Recover(ctx context.Context) error {
	return v.catalog.Recover(ctx, func(ctx context.Context, kind catalog.Kind, at catalog.Location) (bool, error) {
		if kind == catalog.Group {
			return group.Exists(ctx, v.fs, at.URI())
		}
		return v.made(ctx, at.URI())
	}, v.remove)
}

func (v *Vault) remove(ctx context.Context, kind catalog.Kind, at catalog.Location) error {
	var err error
	if kind == catalog.Group {
		err = group.Delete(ctx, v.fs, at.URI())
	} else {
		err = array.Delete(ctx, v.fs, at.URI())
	}
	if errors.Is(err, array.ErrNotFound) || errors.Is(err, group.ErrNotFound) {
		return nil
	}
	return err
}

// TypeName returns "dense" or "sparse".
func TypeName(t schema.ArrayType) string {
	if t == schema.Sparse {
		return "sparse"
	}
	return "dense"
}

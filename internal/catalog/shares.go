package catalog

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"azulejo/internal/access"
	"azulejo/internal/activity"
)

// Sharing is one share of an asset as people see it.
type Sharing struct {
	NamespaceID  string // UUID of the namespace it is shared to
	Namespace    string // its name
	Organization bool
	Rights       access.Rights
	// MemberRights are the rights that a share of a group gives on the arrays in it and in the groups in it.
	MemberRights access.Rights
	// Part is the part of an array that is shared, in words of package part; empty for all of it.
	Part string
}

// addShares puts to each asset how it is shared: by itself, and by the groups that it is a member of as far as their shares
// reach it.
func (c *Catalog) addShares(ctx context.Context, list []Asset) error {
	if len(list) == 0 {
		return nil
	}
	ids, at := make([]string, len(list)), make(map[string]int, len(list))
	for i, a := range list {
		ids[i], at[a.ID] = a.ID, i
	}
	text, err := json.Marshal(ids)
	if err != nil {
		return fmt.Errorf("shares: %w", err)
	}
	rows, err := c.db.Read().QueryContext(ctx, `WITH RECURSIVE around(asset, id) AS (
		SELECT m.asset_id, m.group_id FROM json_each(?1) j CROSS JOIN group_members m WHERE m.asset_id = j.value AND m.shared
		UNION SELECT r.asset, m.group_id FROM around r CROSS JOIN group_members m WHERE m.asset_id = r.id AND m.shared)
		SELECT asset_id, 1, namespace_id, rights, member_rights, part FROM shares WHERE asset_id IN (SELECT value FROM json_each(?1))
		UNION ALL SELECT r.asset, 0, s.namespace_id, s.rights, s.member_rights, s.part FROM around r CROSS JOIN shares s WHERE s.asset_id = r.id`, string(text))
	if err != nil {
		return fmt.Errorf("shares: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, namespace, rights, memberRights, part string
		var direct bool
		if err := rows.Scan(&id, &direct, &namespace, &rights, &memberRights, &part); err != nil {
			return fmt.Errorf("shares: %w", err)
		}
		a := &list[at[id]]
		if !direct && a.Kind == Array {
			rights = memberRights
		}
		if direct {
			a.shareCount++
		}
		if set := decodeRights(rights); set != 0 {
			a.shares = append(a.shares, access.Share{NamespaceID: namespace, Rights: set, Part: part})
		}
	}
	return rows.Err()
}

// Rights are kept by their published names, so that their order in the program can change.
func encodeRights(set access.Rights) string { return strings.Join(set.Names(access.Array), " ") }

func decodeRights(text string) access.Rights {
	set, _ := access.ParseRights(access.Array, strings.Fields(text)) // what this program does not know gives nothing
	return set
}

// Share shares an asset to a namespace with these rights and no others; without any, it is no longer shared to it. The
// second set is for members of a group. Error classes: access.ErrDenied, ErrInvalid, ErrNotFound.
func (c *Catalog) Share(ctx context.Context, g access.Grant, a Asset, namespaceID string, rights, memberRights access.Rights) error {
	return c.SharePart(ctx, g, a, NewShare{NamespaceID: namespaceID, Rights: rights, MemberRights: memberRights})
}

// NewShare says how an asset is to be shared to a namespace.
type NewShare struct {
	NamespaceID          string
	Rights, MemberRights access.Rights
	// Part is the part of an array to share, as package part keeps it; empty for all of it. It is for reading only.
	Part string
	// Origin is from where the request came.
	Origin activity.Origin
}

// SharePart is Share, of a part of an array if one is named.
func (c *Catalog) SharePart(ctx context.Context, g access.Grant, a Asset, n NewShare) error {
	namespaceID, rights, memberRights := n.NamespaceID, n.Rights, n.MemberRights
	if err := permitsEither(g, a, access.ArrayShare, access.GroupShare); err != nil {
		return err
	}
	rights, memberRights = rights.Shared(), memberRights.Shared()
	if a.Kind != Group {
		memberRights = 0
	}
	if namespaceID == access.PublicNamespace && !(rights | memberRights).Public() {
		return fmt.Errorf("%w: everybody can be given the right to read, no other", ErrInvalid)
	}
	if n.Part != "" && (a.Kind != Array || !rights.Public()) {
		return fmt.Errorf("%w: a policy is for arrays and for reading: with one only the actions %v can be shared", ErrInvalid, access.PartRights().Names(access.Array))
	}
	if namespaceID == a.NamespaceID {
		return fmt.Errorf("%w: the asset is %s's already", ErrInvalid, a.Namespace)
	}
	return c.update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM shares WHERE asset_id = ? AND namespace_id = ?", a.ID, namespaceID); err != nil {
			return fmt.Errorf("share: %w", err)
		}
		if err := activity.Record(ctx, tx, n.entry(c.now(), g, a, rights, memberRights)); err != nil || rights == 0 && memberRights == 0 {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO shares (asset_id, namespace_id, rights, member_rights, created_by, created_at, part)
			VALUES (?, ?, ?, ?, ?, ?, ?)`, a.ID, namespaceID, encodeRights(rights), encodeRights(memberRights), g.Subject().UserID, c.now().Unix(), n.Part)
		if err != nil {
			return fmt.Errorf("share: %w", err)
		}
		return nil
	})
}

// entry is the line of the audit log for a share: who may do what now, and to which part.
func (n NewShare) entry(at time.Time, g access.Grant, a Asset, rights, memberRights access.Rights) activity.Entry {
	detail := fmt.Sprintf("%s %s to namespace %s: [%s]", a.Kind, a.ID, n.NamespaceID, encodeRights(rights))
	if memberRights != 0 {
		detail += fmt.Sprintf(", members [%s]", encodeRights(memberRights))
	}
	if n.Part != "" {
		detail += ", policy " + n.Part
	}
	by := g.Subject()
	return activity.Entry{At: at, Event: activity.Shared, UserID: by.UserID, TokenID: by.TokenID, Origin: n.Origin, Detail: detail}
}

// Sharings lists to whom an asset itself is shared, by name. Error class: access.ErrDenied.
func (c *Catalog) Sharings(ctx context.Context, g access.Grant, a Asset) ([]Sharing, error) {
	if err := permitsEither(g, a, access.ArrayShares, access.GroupShares); err != nil {
		return nil, err
	}
	rows, err := c.db.Read().QueryContext(ctx, `SELECT n.id, n.name, n.kind = 'organization', s.rights, s.member_rights, s.part FROM shares s
		JOIN namespaces n ON n.id = s.namespace_id WHERE s.asset_id = ? ORDER BY n.name_key`, a.ID)
	if err != nil {
		return nil, fmt.Errorf("shares: %w", err)
	}
	defer rows.Close()
	list := []Sharing{}
	for rows.Next() {
		var s Sharing
		var rights, memberRights string
		if err := rows.Scan(&s.NamespaceID, &s.Namespace, &s.Organization, &rights, &memberRights, &s.Part); err != nil {
			return nil, fmt.Errorf("shares: %w", err)
		}
		s.Rights, s.MemberRights = decodeRights(rights), decodeRights(memberRights)
		list = append(list, s)
	}
	return list, rows.Err()
}

// NewMember is an asset that was added to a group.
type NewMember struct {
	Asset Asset
	// Shared tells that who added it may share the asset, so that the shares of the group reach it.
	Shared bool
}

// AddMembers notes assets as members of a group, for the shares and the lists that follow groups. What the group holds is
// what is stored; a member that is not noted is only not reached by them.
func (c *Catalog) AddMembers(ctx context.Context, g access.Grant, in Asset, members []NewMember) error {
	if err := g.Permits(g.Action(), in.ID); err != nil || len(members) == 0 {
		return err
	}
	return c.update(ctx, func(tx *sql.Tx) error {
		for _, m := range members {
			_, err := tx.ExecContext(ctx, `INSERT INTO group_members (group_id, asset_id, shared) VALUES (?1, ?2, ?3)
				ON CONFLICT (group_id, asset_id) DO UPDATE SET shared = excluded.shared`, in.ID, m.Asset.ID, m.Shared)
			if err != nil {
				return fmt.Errorf("member: %w", err)
			}
		}
		return nil
	})
}

// RemoveMembers forgets assets as members of a group. It comes before they are taken out of the stored group, so that no
// share outlives a membership.
func (c *Catalog) RemoveMembers(ctx context.Context, g access.Grant, in Asset, assetIDs []string) error {
	if err := g.Permits(g.Action(), in.ID); err != nil || len(assetIDs) == 0 {
		return err
	}
	return c.update(ctx, func(tx *sql.Tx) error {
		for _, id := range assetIDs {
			if _, err := tx.ExecContext(ctx, "DELETE FROM group_members WHERE group_id = ? AND asset_id = ?", in.ID, id); err != nil {
				return fmt.Errorf("member: %w", err)
			}
		}
		return nil
	})
}

const (
	// storedLists is how many lists ByStorage remembers, storedURIs how long they may be.
	storedLists, storedURIs = 16, 2000
)

// ByStorage returns the assets that are stored at URIs, whoever's they are, by URI. What is no asset's is left out. Whether
// somebody may know of an asset is the caller's to ask. The map must not be modified: the same list may get it again.
func (c *Catalog) ByStorage(ctx context.Context, uris []string) (map[string]Asset, error) {
	if len(uris) > storedURIs {
		return c.byStorage(ctx, uris)
	}
	return c.stored.Get(ctx, sha256.Sum256([]byte(strings.Join(uris, "\x00"))), func() (map[string]Asset, error) { return c.byStorage(ctx, uris) })
}

func (c *Catalog) byStorage(ctx context.Context, uris []string) (map[string]Asset, error) {
	places := map[string]map[string]string{} // by root and path
	for _, uri := range uris {
		p, err := parseStorage(uri)
		if err == nil && !linkFree(p) {
			p, err = canonical(p)
		}
		if err != nil {
			continue
		}
		root, rel := c.relative(p)
		if places[root] == nil {
			places[root] = map[string]string{}
		}
		places[root][rel] = uri
	}
	found := map[string]Asset{}
	for root, at := range places {
		text, err := json.Marshal(slices.Collect(maps.Keys(at)))
		if err != nil {
			return nil, fmt.Errorf("assets: %w", err)
		}
		list, err := c.query(ctx, " WHERE a.state = 'live' AND a.root = ? AND a.path IN (SELECT value FROM json_each(?))", root, string(text))
		if err != nil {
			return nil, err
		}
		for _, a := range list {
			_, rel := c.relative(a.path)
			found[at[rel]] = a
		}
	}
	return found, nil
}

// one returns the asset that meets a condition, with its shares.
func (c *Catalog) one(ctx context.Context, where string, args ...any) (Asset, error) {
	a, err := c.scan(c.db.Read().QueryRowContext(ctx, "SELECT "+assetColumns+where, args...))
	if err != nil {
		return Asset{}, err
	}
	list := []Asset{a}
	err = c.addShares(ctx, list)
	return list[0], err
}

package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"azulejo/internal/access"
)

// Filter says which assets to list, in which order, and which page of them. Namespaces or SharedTo must be given; the zero
// value of any other field does not filter.
type Filter struct {
	Namespaces []string // UUIDs; assets of any of them
	SharedTo   []string // UUIDs; assets shared to any of them, directly or by a group they are in
	NotIn      []string // UUIDs; no assets of these namespaces
	// OrSharedTo is a namespace by UUID, whose shared assets are listed beside those of Namespaces; empty for none.
	OrSharedTo string
	// AssetTypes are published words: array and group for anything stored so, others for what it is used as. Any of them.
	AssetTypes []string
	// Right is one that every asset of SharedTo must be shared with; 0 for any.
	Right access.Rights
	Kind  Kind
	// Search are words: each must begin a word of the name, the tags, the description, the namespace, or the metadata where the caller may
	// read the asset, or be a part of the name.
	Search string
	// Own are the namespaces by UUID that the caller may read all of.
	Own              []string
	Tags             []string
	ExcludeTags      []string
	FileTypes        []string // any of them
	ExcludeFileTypes []string
	// FileProperties are names and values that all must be there.
	FileProperties [][2]string
	// FavoriteOf is a user by UUID, whose favourites alone are listed.
	FavoriteOf string
	// VisibleTo are namespaces by UUID: only assets that are of one of them, or shared to one, are listed.
	VisibleTo []string
	// Parent is the UUID of a group; only its members are listed.
	Parent string
	// Roots lists no member of any group.
	Roots      bool
	OrderBy    string // "name", "created_at", "asset_type"; else the best of a search first, without one the newest
	Descending bool
	Page       int // from 1
	PerPage    int // 0 for all
}

// List returns one page of assets and how many there are on all pages.
func (c *Catalog) List(ctx context.Context, f Filter) ([]Asset, int, error) {
	q, err := c.listQuery(f)
	if err != nil {
		return nil, 0, err
	}
	order := f.order()
	args := slices.Clone(q.args)
	if f.OrderBy == "" && len(words(f.Search, maxTerms)) > 0 {
		best, more := c.best(f.Search)
		order, args = best, append(args, more...)
	}
	from := " FROM assets a WHERE " + q.where()
	stmt := q.with + "SELECT a.id, count(*) OVER ()" + from + " ORDER BY " + order
	if f.PerPage > 0 {
		stmt += " LIMIT ? OFFSET ?"
		args = append(args, f.PerPage, int64(f.PerPage)*int64(max(f.Page-1, 0)))
	}
	// What is sorted is only what decides about the order; the page's entries are read then.
	ids, total, err := c.listed(ctx, stmt, args...)
	if err != nil || len(ids) == 0 {
		if err == nil && f.Page > 1 {
			err = c.db.Read().QueryRowContext(ctx, q.with+"SELECT count(*)"+from, q.args...).Scan(&total)
		}
		return []Asset{}, total, err
	}
	found, err := c.ByIDs(ctx, ids)
	if err != nil {
		return nil, 0, err
	}
	list := make([]Asset, 0, len(ids))
	for _, id := range ids {
		if a, ok := found[id]; ok { // it may have gone meanwhile
			list = append(list, a)
		}
	}
	return list, total, nil
}

// listed returns the ids of a page and how many there are on all.
func (c *Catalog) listed(ctx context.Context, stmt string, args ...any) (ids []string, total int, err error) {
	rows, err := c.db.Read().QueryContext(ctx, stmt, args...)
	if err != nil {
		return nil, 0, fmt.Errorf("assets: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id, &total); err != nil {
			return nil, 0, fmt.Errorf("assets: %w", err)
		}
		ids = append(ids, id)
	}
	return ids, total, rows.Err()
}

// CountArrays returns how many arrays a namespace has.
func (c *Catalog) CountArrays(ctx context.Context, namespaceID string) (int, error) {
	var n int
	err := c.db.Read().QueryRowContext(ctx, "SELECT count(*) FROM assets WHERE namespace_id = ? AND kind = 'array' AND state = 'live'", namespaceID).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("assets: %w", err)
	}
	return n, nil
}

// GroupSize is how many members of a group the catalogue knows.
type GroupSize struct{ Arrays, Groups int }

// GroupSizes returns the sizes of the groups in a list, by id; one without members is left out.
func (c *Catalog) GroupSizes(ctx context.Context, groups []Asset) (map[string]GroupSize, error) {
	ids := make([]string, len(groups))
	for i, g := range groups {
		ids[i] = g.ID
	}
	text, err := json.Marshal(ids)
	if err != nil {
		return nil, fmt.Errorf("groups: %w", err)
	}
	rows, err := c.db.Read().QueryContext(ctx, `SELECT m.group_id, sum(CASE WHEN a.kind = 'array' THEN 1 ELSE 0 END), sum(CASE WHEN a.kind = 'group' THEN 1 ELSE 0 END)
		FROM group_members m JOIN assets a ON a.id = m.asset_id WHERE a.state = 'live' AND m.group_id IN (SELECT value FROM json_each(?)) GROUP BY m.group_id`, string(text))
	if err != nil {
		return nil, fmt.Errorf("groups: %w", err)
	}
	defer rows.Close()
	sizes := map[string]GroupSize{}
	for rows.Next() {
		var id string
		var n GroupSize
		if err := rows.Scan(&id, &n.Arrays, &n.Groups); err != nil {
			return nil, fmt.Errorf("groups: %w", err)
		}
		sizes[id] = n
	}
	return sizes, rows.Err()
}

// Count is one namespace with how many of the assets that a filter lists are in it.
type Count struct {
	Namespace string // name
	Assets    int
}

// Counts tells in which namespaces the assets of a filter are, by name. Order and page of the filter do not count.
func (c *Catalog) Counts(ctx context.Context, f Filter) ([]Count, error) {
	q, err := c.listQuery(f)
	if err != nil {
		return nil, err
	}
	rows, err := c.db.Read().QueryContext(ctx, q.with+"SELECT n.name, count(*) FROM assets a JOIN namespaces n ON n.id = a.namespace_id WHERE "+
		q.where()+" GROUP BY n.name ORDER BY n.name", q.args...)
	if err != nil {
		return nil, fmt.Errorf("namespaces: %w", err)
	}
	defer rows.Close()
	list := []Count{}
	for rows.Next() {
		var n Count
		if err := rows.Scan(&n.Namespace, &n.Assets); err != nil {
			return nil, fmt.Errorf("namespaces: %w", err)
		}
		list = append(list, n)
	}
	return list, rows.Err()
}

// listQuery is a filter as a statement: what stands before SELECT, the conditions, and their arguments in order.
type listQuery struct {
	with  string
	parts []string
	args  []any
}

func (q *listQuery) where() string { return strings.Join(q.parts, " AND ") }

func (q *listQuery) add(text string, values ...any) {
	q.parts, q.args = append(q.parts, text), append(q.args, values...)
}

// in adds that a column is, or is not, one of a list.
func (q *listQuery) in(column, op string, list []string) {
	if len(list) == 0 {
		return
	}
	values := make([]any, len(list))
	for i, v := range list {
		values[i] = v
	}
	q.add(column+" "+op+" (?"+strings.Repeat(", ?", len(list)-1)+")", values...)
}

// either adds that one of the conditions that more adds holds.
func (q *listQuery) either(more func()) {
	n := len(q.parts)
	more()
	if added := q.parts[n:]; len(added) > 0 {
		q.parts = append(q.parts[:n:n], "("+strings.Join(added, " OR ")+")")
	}
}

// assetTypes adds that an asset is of one of the filter's types.
func (f Filter) assetTypes(q *listQuery) {
	q.either(func() {
		for _, t := range f.AssetTypes {
			switch t {
			case "array", "group":
				q.add("a.kind = ?", t)
			case "dashboard":
				q.add(`(a.file_type = 'notebook' AND lower(a.file_properties) LIKE '%"is_dashboard":"true"%')`)
			default:
				q.add("a.file_type = ?", t)
			}
		}
	})
}

// sharedAssets is the assets that are shared to a list of namespaces (seen), with the rights that each share gives on the asset, of itself or
// as a member of a group, and whether it is of all of the asset.
const sharedAssets = `WITH RECURSIVE shared_to(id, direct, rights, member_rights, whole) AS (
	SELECT asset_id, 1, rights, member_rights, part = '' FROM shares WHERE namespace_id IN (SELECT value FROM json_each(?))
	UNION SELECT m.asset_id, 0, s.rights, s.member_rights, s.whole FROM shared_to s CROSS JOIN group_members m WHERE m.group_id = s.id AND m.shared),
	seen(id, rights, whole) AS MATERIALIZED (SELECT s.id, CASE WHEN s.direct = 1 OR x.kind = 'group' THEN s.rights ELSE s.member_rights END, s.direct = 0 OR s.whole
	FROM shared_to s CROSS JOIN assets x WHERE x.id = s.id) `

// listQuery makes a statement of a filter.
func (c *Catalog) listQuery(f Filter) (listQuery, error) {
	var q listQuery
	if len(f.Namespaces) == 0 && len(f.SharedTo) == 0 && len(f.VisibleTo) == 0 {
		return q, errors.New("assets: a list of everything was asked for")
	}
	sharedTo, orOf := f.SharedTo, f.Namespaces
	if f.OrSharedTo != "" {
		sharedTo = []string{f.OrSharedTo}
	}
	if len(f.VisibleTo) > 0 {
		sharedTo, orOf = f.VisibleTo, f.VisibleTo
	}
	shared, readable := "", ""
	if len(sharedTo) > 0 {
		to, err := json.Marshal(sharedTo)
		if err != nil {
			return q, fmt.Errorf("assets: %w", err)
		}
		q.with, q.args = sharedAssets, []any{string(to)}
		shared = "a.id IN (SELECT id FROM seen WHERE rights <> '')"
		readable = "a.id IN (SELECT id FROM seen WHERE ' ' || rights || ' ' LIKE '% read %' AND whole)"
		if names := f.Right.Names(access.Array); len(names) > 0 { // a published word, so it can stand in the statement
			shared = "a.id IN (SELECT id FROM seen WHERE ' ' || rights || ' ' LIKE '% " + names[0] + " %')"
		}
	}
	q.add("a.state = 'live'")
	switch {
	case f.OrSharedTo != "", len(f.VisibleTo) > 0:
		q.either(func() {
			q.in("a.namespace_id", "IN", orOf)
			q.add(shared)
		})
	default:
		q.in("a.namespace_id", "IN", f.Namespaces)
		if shared != "" {
			q.add(shared)
		}
	}
	q.in("a.namespace_id", "NOT IN", f.NotIn)
	f.assetTypes(&q)
	if f.Kind != "" {
		q.add("a.kind = ?", string(f.Kind))
	}
	if f.Search != "" {
		var args []any
		if readable != "" && len(f.Own) > 0 {
			readable = "(" + readable + " OR a.namespace_id IN (?" + strings.Repeat(", ?", len(f.Own)-1) + "))"
			for _, id := range f.Own {
				args = append(args, id)
			}
		}
		c.search(&q, f.Search, readable, args...)
	}
	for _, tag := range f.Tags {
		q.add("EXISTS (SELECT 1 FROM json_each(a.tags) WHERE value = ?)", tag)
	}
	for _, tag := range f.ExcludeTags {
		q.add("NOT EXISTS (SELECT 1 FROM json_each(a.tags) WHERE value = ?)", tag)
	}
	q.in("a.file_type", "IN", f.FileTypes)
	q.in("a.file_type", "NOT IN", f.ExcludeFileTypes)
	for _, p := range f.FileProperties {
		text, err := json.Marshal(map[string]string{p[0]: p[1]})
		if err != nil {
			return q, fmt.Errorf("assets: %w", err)
		}
		like := strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(string(text[1 : len(text)-1]))
		q.add(`a.file_properties LIKE ? ESCAPE '\'`, "%"+like+"%")
	}
	if f.FavoriteOf != "" {
		q.add("a.id IN (SELECT asset_id FROM favorites WHERE user_id = ?)", f.FavoriteOf)
	}
	if f.Parent != "" {
		q.add("a.id IN (SELECT asset_id FROM group_members WHERE group_id = ?)", f.Parent)
	}
	if f.Roots {
		q.add("a.id NOT IN (SELECT asset_id FROM group_members)")
	}
	return q, nil
}

func (f Filter) order() string {
	way := " ASC"
	if f.Descending {
		way = " DESC"
	}
	switch f.OrderBy {
	case "name":
		return "a.name" + way + ", a.id"
	case "asset_type":
		return "a.kind" + way + ", a.file_type" + way + ", a.name, a.id"
	case "created_at":
		return "a.created_at" + way + ", a.name, a.id"
	}
	return "a.created_at DESC, a.name, a.id"
}

// queryWith returns the assets of a statement, with their shares.
func (c *Catalog) queryWith(ctx context.Context, with, where string, args ...any) ([]Asset, error) {
	rows, err := c.db.Read().QueryContext(ctx, with+"SELECT "+assetColumns+where, args...)
	if err != nil {
		return nil, fmt.Errorf("assets: %w", err)
	}
	defer rows.Close()
	list := []Asset{}
	for rows.Next() {
		a, err := c.scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("assets: %w", err)
	}
	return list, c.addShares(ctx, list)
}

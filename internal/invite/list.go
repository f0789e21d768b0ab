package invite

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Filter says which invitations to list. UserID, Spaces and Email say who asks: the list holds what that user made, and what
// was sent to the namespaces or to the mail address, or is about what is in the namespaces. Empty fields of the rest do not
// narrow.
type Filter struct {
	UserID string
	Spaces []string // UUIDs of the namespaces that the user runs
	Email  string   // confirmed, or empty

	Organization string // name or UUID
	// Array and Group are name or UUID, or "namespace/name".
	Array, Group string
	Kind         Kind
	// Accepted and Open narrow to those that were accepted, or were not.
	Accepted, Open bool
	Start, End     time.Time // of creation
	// OrderBy is timestamp, array_name or organization_name; empty means the newest first.
	OrderBy string
	// Page counts from 1.
	Page, PerPage int
}

// where collects conditions with their arguments.
type where struct {
	text strings.Builder
	args []any
}

func (w *where) and(text string, args ...any) {
	w.text.WriteString(" AND (" + text + ")")
	w.args = append(w.args, args...)
}

// asset narrows to assets of a kind by name, UUID, or namespace and name.
func (w *where) asset(kind Kind, ref string) {
	if ref == "" {
		return
	}
	ref = strings.TrimPrefix(ref, "tiledb://")
	if space, name, ok := strings.Cut(ref, "/"); ok {
		w.and("i.kind = ? AND (own.name_key = ? OR own.id = ?) AND (a.name = ? OR a.id = ?)", string(kind), strings.ToLower(space), strings.ToLower(space), name, strings.ToLower(name))
		return
	}
	w.and("i.kind = ? AND (a.name = ? OR a.id = ?)", string(kind), ref, strings.ToLower(ref))
}

func (v *Invitations) where(f Filter) *where {
	w := &where{}
	w.and("i.accepted_at IS NOT NULL OR i.expires_at > ?", v.clock().Unix())
	marks := strings.TrimSuffix(strings.Repeat("?, ", len(f.Spaces)), ", ")
	who, args := "i.inviter_id = ? OR i.email_key = ? AND i.email_key <> ''", []any{f.UserID, mailKey(f.Email)}
	if len(f.Spaces) > 0 {
		who += " OR i.namespace_id IN (" + marks + ") OR i.organization_id IN (" + marks + ") OR own.id IN (" + marks + ")"
		for range 3 {
			for _, id := range f.Spaces {
				args = append(args, id)
			}
		}
	}
	w.and(who, args...)
	if f.Organization != "" {
		key := strings.ToLower(f.Organization)
		w.and("o.name_key = ? OR o.id = ?", key, key)
	}
	w.asset(ToArray, f.Array)
	w.asset(ToGroup, f.Group)
	if f.Kind != "" {
		w.and("i.kind = ?", string(f.Kind))
	}
	if f.Accepted {
		w.and("i.accepted_at IS NOT NULL")
	}
	if f.Open {
		w.and("i.accepted_at IS NULL")
	}
	if !f.Start.IsZero() {
		w.and("i.created_at >= ?", f.Start.Unix())
	}
	if !f.End.IsZero() {
		w.and("i.created_at <= ?", f.End.Unix())
	}
	return w
}

// List returns a page of the invitations that meet a filter, and how many there are in all.
func (v *Invitations) List(ctx context.Context, f Filter) ([]Invitation, int, error) {
	w := v.where(f)
	total := 0
	if err := v.db.Read().QueryRowContext(ctx, "SELECT count(*)"+from+w.text.String(), w.args...).Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("invitations: %w", err)
	}
	order := map[string]string{"timestamp": "i.created_at, i.id", "array_name": "a.name, i.id", "organization_name": "o.name_key, i.id"}[f.OrderBy]
	if order == "" {
		order = "i.created_at DESC, i.id"
	}
	rows, err := v.db.Read().QueryContext(ctx, "SELECT "+columns+from+w.text.String()+" ORDER BY "+order+" LIMIT ? OFFSET ?",
		append(w.args, f.PerPage, (f.Page-1)*f.PerPage)...)
	if err != nil {
		return nil, 0, fmt.Errorf("invitations: %w", err)
	}
	defer rows.Close()
	list := []Invitation{}
	for rows.Next() {
		i, err := scan(rows)
		if err != nil {
			return nil, 0, err
		}
		list = append(list, i)
	}
	return list, total, rows.Err()
}

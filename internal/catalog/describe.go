package catalog

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"azulejo/internal/access"
	"azulejo/internal/db"
)

// Patch changes what is said about an asset; nil fields stay as they are.
type Patch struct {
	Name            *string // renames; a taken name is an error of class ErrExists
	Description     *string
	FileType        *string
	FileProperties  *map[string]string
	Logo            *string
	Tags            *[]string
	LicenseID       *string
	LicenseText     *string
	CredentialsName *string
	ReadOnly        *bool
}

var tagForm = regexp.MustCompile(`^[a-z-]{1,64}$`)

const maxText = 1 << 20 // bytes of any one text of Info

// Update applies a patch and returns the asset as it is then. The storage does
// not move. Error classes: ErrInvalid, ErrExists, ErrNotFound.
func (c *Catalog) Update(ctx context.Context, g access.Grant, a Asset, p Patch) (Asset, error) {
	if err := permitsEither(g, a, access.ArrayDescribe, access.GroupDescribe); err != nil {
		return Asset{}, err
	}
	name, info := a.Name, a.Info
	set(&name, p.Name)
	set(&info.Description, p.Description)
	set(&info.FileType, p.FileType)
	set(&info.FileProperties, p.FileProperties)
	set(&info.Logo, p.Logo)
	set(&info.Tags, p.Tags)
	set(&info.LicenseID, p.LicenseID)
	set(&info.LicenseText, p.LicenseText)
	set(&info.CredentialsName, p.CredentialsName)
	set(&info.ReadOnly, p.ReadOnly)
	if err := CheckName(name); err != nil {
		return Asset{}, err
	}
	properties, tags, err := encodeInfo(info)
	if err != nil {
		return Asset{}, err
	}
	err = c.update(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE assets SET name = ?, file_type = ?, file_properties = ?, description = ?, logo = ?, tags = ?,
			license_id = ?, license_text = ?, credentials_name = ?, read_only = ? WHERE id = ? AND state = 'live'`, name, info.FileType,
			properties, info.Description, info.Logo, tags, info.LicenseID, info.LicenseText, info.CredentialsName, info.ReadOnly, a.ID)
		if db.IsTaken(err) {
			return fmt.Errorf("%q %w in this namespace; choose another name", name, ErrExists)
		}
		if err != nil {
			return fmt.Errorf("asset: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return ErrNotFound
		}
		return nil
	})
	if err != nil {
		return Asset{}, err
	}
	return c.byID(ctx, a.ID)
}

func set[T any](field *T, v *T) {
	if v != nil {
		*field = *v
	}
}

// encodeInfo checks an Info and returns its structured parts as JSON.
func encodeInfo(i Info) (properties, tags string, err error) {
	for _, tag := range i.Tags {
		if !tagForm.MatchString(tag) {
			return "", "", fmt.Errorf("%w: a tag is made of 1 to 64 lower-case letters and '-'", ErrInvalid)
		}
	}
	for _, text := range []string{i.Description, i.FileType, i.Logo, i.LicenseID, i.LicenseText, i.CredentialsName} {
		if len(text) > maxText {
			return "", "", fmt.Errorf("%w: a text has at most 1 MiB", ErrInvalid)
		}
	}
	if i.FileProperties == nil {
		i.FileProperties = map[string]string{}
	}
	if i.Tags == nil {
		i.Tags = []string{}
	}
	p, err := json.Marshal(i.FileProperties)
	if err != nil {
		return "", "", fmt.Errorf("file properties: %w", err)
	}
	t, err := json.Marshal(i.Tags)
	return string(p), string(t), err
}

// Filter says which assets of a namespace to list, in which order, and which
// page of them. The zero value of a field does not filter.
type Filter struct {
	NamespaceID      string // required
	Kind             Kind
	Search           string // part of the name, description or namespace, whatever the case
	Tags             []string
	ExcludeTags      []string
	FileTypes        []string // any of them
	ExcludeFileTypes []string
	OrderBy          string // "name", "created_at", "asset_type"; else created_at, newest first
	Descending       bool
	Page             int // from 1
	PerPage          int // 0 for all
}

// List returns one page of assets and how many there are on all pages.
func (c *Catalog) List(ctx context.Context, f Filter) ([]Asset, int, error) {
	where, args := f.where()
	var total int
	from := " FROM assets a JOIN namespaces n ON n.id = a.namespace_id WHERE " + where
	if err := c.db.Read().QueryRowContext(ctx, "SELECT count(*)"+from, args...).Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("assets: %w", err)
	}
	order := " ORDER BY " + f.order()
	if f.PerPage > 0 {
		order += " LIMIT ? OFFSET ?"
		args = append(args, f.PerPage, int64(f.PerPage)*int64(max(f.Page-1, 0)))
	}
	list, err := c.query(ctx, " WHERE "+where+order, args...)
	return list, total, err
}

func (f Filter) where() (string, []any) {
	parts, args := []string{"a.namespace_id = ?", "a.state = 'live'"}, []any{f.NamespaceID}
	add := func(text string, values ...any) { parts, args = append(parts, text), append(args, values...) }
	if f.Kind != "" {
		add("a.kind = ?", string(f.Kind))
	}
	if f.Search != "" {
		like := "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(f.Search) + "%"
		add(`(lower(a.name) LIKE lower(?) ESCAPE '\' OR lower(a.description) LIKE lower(?) ESCAPE '\' OR lower(n.name) LIKE lower(?) ESCAPE '\')`,
			like, like, like)
	}
	for _, tag := range f.Tags {
		add("EXISTS (SELECT 1 FROM json_each(a.tags) WHERE value = ?)", tag)
	}
	for _, tag := range f.ExcludeTags {
		add("NOT EXISTS (SELECT 1 FROM json_each(a.tags) WHERE value = ?)", tag)
	}
	in := func(op string, list []string) {
		if len(list) == 0 {
			return
		}
		values := make([]any, len(list))
		for i, v := range list {
			values[i] = v
		}
		add("a.file_type "+op+" (?"+strings.Repeat(", ?", len(list)-1)+")", values...)
	}
	in("IN", f.FileTypes)
	in("NOT IN", f.ExcludeFileTypes)
	return strings.Join(parts, " AND "), args
}

func (f Filter) order() string {
	way := " ASC"
	if f.Descending {
		way = " DESC"
	}
	switch f.OrderBy {
	case "name":
		return "a.name" + way
	case "asset_type":
		return "a.kind" + way + ", a.file_type" + way + ", a.name"
	case "created_at":
		return "a.created_at" + way + ", a.name"
	}
	return "a.created_at DESC, a.name"
}

// SetArrayType notes whether an array is "dense" or "sparse", once that is
// known from its schema.
func (c *Catalog) SetArrayType(ctx context.Context, g access.Grant, a Asset, arrayType string) error {
	if err := g.Permits(g.Action(), a.ID); err != nil {
		return err
	}
	return c.update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE assets SET array_type = ? WHERE id = ?", arrayType, a.ID); err != nil {
			return fmt.Errorf("asset: %w", err)
		}
		return nil
	})
}

// SetFile records what an array is as a file, for who has seen it in the array's own metadata: its file type and
// properties. What people said it is (Update) stays, unless they said the same type.
func (c *Catalog) SetFile(ctx context.Context, g access.Grant, a Asset, fileType string, properties map[string]string) error {
	if err := g.Permits(g.Action(), a.ID); err != nil {
		return err
	}
	text, _, err := encodeInfo(Info{FileType: fileType, FileProperties: properties})
	if err != nil {
		return err
	}
	return c.update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE assets SET file_type = ?1, file_properties = ?2 WHERE id = ?3 AND file_type IN ('', ?1)",
			fileType, text, a.ID); err != nil {
			return fmt.Errorf("asset: %w", err)
		}
		return nil
	})
}

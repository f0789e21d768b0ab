package catalog

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"azulejo/internal/access"
	"azulejo/internal/activity"
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
// not move, and a name that it had goes on to lead to it. Error classes: ErrInvalid, ErrExists, ErrNotFound.
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
		var before string
		if err := tx.QueryRowContext(ctx, "SELECT name FROM assets WHERE id = ?", a.ID).Scan(&before); err != nil {
			return errors.Join(ErrNotFound, err)
		}
		if p.Name == nil {
			name = before // somebody else may have renamed it meanwhile
		}
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
		if err := c.index(ctx, tx, a.ID); err != nil {
			return err
		}
		if name == before {
			return nil
		}
		if err := c.renamed(ctx, tx, a.ID, a.NamespaceID, before); err != nil {
			return err
		}
		return c.note(ctx, tx, g, activity.AssetRenamed, a.ID+" "+a.Namespace+"/"+before+" to "+name)
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

// SetGroupType records what a group is, a published word or nothing, for who has seen it in the group's own metadata.
func (c *Catalog) SetGroupType(ctx context.Context, g access.Grant, a Asset, groupType string) error {
	if err := g.Permits(g.Action(), a.ID); err != nil {
		return err
	}
	return c.update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE assets SET file_type = ? WHERE id = ? AND kind = 'group'", groupType, a.ID); err != nil {
			return fmt.Errorf("asset: %w", err)
		}
		return nil
	})
}

// SetCredentials names the credential by which assets of a namespace are reached, of all of them or, after an error, of none.
// The grant is one to change the namespace's credentials. Error classes: access.ErrDenied, ErrNotFound.
func (c *Catalog) SetCredentials(ctx context.Context, g access.Grant, namespaceID string, assetIDs []string, name string) error {
	if err := mayCredentials(g, namespaceID); err != nil {
		return err
	}
	return c.update(ctx, func(tx *sql.Tx) error {
		for _, id := range assetIDs {
			res, err := tx.ExecContext(ctx, "UPDATE assets SET credentials_name = ? WHERE id = ? AND namespace_id = ? AND state = 'live'",
				name, strings.ToLower(id), namespaceID)
			if err != nil {
				return fmt.Errorf("credentials of assets: %w", err)
			}
			if n, err := res.RowsAffected(); err != nil || n == 0 {
				return errors.Join(fmt.Errorf("%w: the namespace has no asset %q; nothing was changed", ErrNotFound, id), err)
			}
		}
		return nil
	})
}

// RenameCredentials lets the assets of a namespace follow the new name of a credential. The error is of class access.ErrDenied.
func (c *Catalog) RenameCredentials(ctx context.Context, g access.Grant, namespaceID, from, to string) error {
	if err := mayCredentials(g, namespaceID); err != nil {
		return err
	}
	return c.update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE assets SET credentials_name = ? WHERE namespace_id = ? AND credentials_name = ?", to, namespaceID, from)
		if err != nil {
			return fmt.Errorf("credentials of assets: %w", err)
		}
		return nil
	})
}

func mayCredentials(g access.Grant, namespaceID string) error {
	if err := g.Permits(access.CredentialsWrite, namespaceID); err == nil {
		return nil
	}
	return g.Permits(access.OrgCredentialsWrite, namespaceID)
}

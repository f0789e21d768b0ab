package catalog

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"azulejo/internal/access"
)

// MetadataText is an entry of an asset's metadata as text.
type MetadataText struct {
	Key, Type, Value string
}

const (
	// maxMetadata is how many entries of an asset's metadata are kept, by key, maxValue how many bytes of a value.
	maxMetadata, maxValue = 500, 2048
)

// NoteMetadata keeps what the metadata of an asset says now, for lists and the search, for who has just read it.
func (c *Catalog) NoteMetadata(ctx context.Context, g access.Grant, a Asset, entries []MetadataText) error {
	if err := g.Permits(g.Action(), a.ID); err != nil || a.part != "" {
		return err
	}
	return c.db.Update(ctx, func(tx *sql.Tx) error { return c.noteMetadata(ctx, tx, a.ID, entries) })
}

func (c *Catalog) noteMetadata(ctx context.Context, tx *sql.Tx, id string, entries []MetadataText) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM asset_metadata WHERE asset_id = ?", id); err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	for i, e := range entries {
		if i == maxMetadata {
			break
		}
		if len(e.Value) > maxValue {
			e.Value = e.Value[:maxValue]
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO asset_metadata (asset_id, key, type, value) SELECT id, ?2, ?3, ?4 FROM assets WHERE id = ?1
			ON CONFLICT (asset_id, key) DO UPDATE SET value = excluded.value`, id, clean(e.Key), e.Type, clean(e.Value))
		if err != nil {
			return fmt.Errorf("metadata: %w", err)
		}
	}
	return c.index(ctx, tx, id)
}

// clean returns a text as every database can keep it.
func clean(text string) string {
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "?")
	}
	return strings.ReplaceAll(text, "\x00", "?")
}

// MetadataOf returns what is kept of the metadata of assets, by id and sorted by key.
func (c *Catalog) MetadataOf(ctx context.Context, ids []string) (map[string][]MetadataText, error) {
	text, err := json.Marshal(ids)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	rows, err := c.db.Read().QueryContext(ctx, "SELECT asset_id, key, type, value FROM asset_metadata WHERE asset_id IN (SELECT value FROM json_each(?)) ORDER BY asset_id, key", string(text))
	if err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	defer rows.Close()
	found := map[string][]MetadataText{}
	for rows.Next() {
		var id string
		var e MetadataText
		if err := rows.Scan(&id, &e.Key, &e.Type, &e.Value); err != nil {
			return nil, fmt.Errorf("metadata: %w", err)
		}
		found[id] = append(found[id], e)
	}
	return found, rows.Err()
}

// index writes the words of an asset into the index, in the transaction of what changed them.
func (c *Catalog) index(ctx context.Context, tx *sql.Tx, id string) error {
	var name, description, namespace, tags string
	var t texts
	err := tx.QueryRowContext(ctx, "SELECT a.name, a.description, n.name, a.tags FROM assets a JOIN namespaces n ON n.id = a.namespace_id WHERE a.id = ?", id).
		Scan(&name, &description, &namespace, &tags)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(tags), &t.tags)
	}
	if err != nil {
		return fmt.Errorf("search index: %w", err)
	}
	t.setName(name)
	t.tags = words(strings.Join(t.tags, " "), maxWords)
	t.description, t.namespace = words(description, maxWords), words(namespace, maxWords)
	if t.metadata, err = metadataWords(ctx, tx, id); err != nil {
		return err
	}
	if c.db.Shared() {
		_, err = tx.ExecContext(ctx, `INSERT INTO asset_texts (asset_id, words) VALUES (?, ?::text::tsvector)
			ON CONFLICT (asset_id) DO UPDATE SET words = excluded.words`, id, t.vector())
	} else {
		err = indexRow(ctx, tx, id, &t)
	}
	if err != nil {
		return fmt.Errorf("search index: %w", err)
	}
	return nil
}

func metadataWords(ctx context.Context, tx *sql.Tx, id string) ([]string, error) {
	rows, err := tx.QueryContext(ctx, "SELECT key, value FROM asset_metadata WHERE asset_id = ? ORDER BY key", id)
	if err != nil {
		return nil, fmt.Errorf("search index: %w", err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() && len(list) < maxWords {
		var key, value string
		if err := rows.Scan(&key, &value); err != nil {
			return nil, fmt.Errorf("search index: %w", err)
		}
		list = append(list, words(key+" "+value, maxWords-len(list))...)
	}
	return list, rows.Err()
}

// indexRow is index for SQLite.
func indexRow(ctx context.Context, tx *sql.Tx, id string, t *texts) error {
	var seq int64
	err := tx.QueryRowContext(ctx, "SELECT seq FROM asset_rows WHERE asset_id = ?", id).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		err = tx.QueryRowContext(ctx, "INSERT INTO asset_rows (asset_id) VALUES (?) RETURNING seq", id).Scan(&seq)
	}
	if err == nil {
		_, err = tx.ExecContext(ctx, "DELETE FROM asset_words WHERE rowid = ?", seq)
	}
	if err == nil {
		_, err = tx.ExecContext(ctx, "INSERT INTO asset_words (rowid, name, tags, description, namespace, grams, metadata) VALUES (?, ?, ?, ?, ?, ?, ?)",
			append([]any{seq}, t.columns()...)...)
	}
	return err
}

// found is the condition that an asset a has the terms, as a statement with one argument.
func (c *Catalog) found(terms []string, m match) (text string, query string) {
	if c.db.Shared() {
		return "a.id IN (SELECT asset_id FROM asset_texts WHERE words @@ ?::text::tsquery)", postgresQuery(terms, m)
	}
	// Lists are led by rights: few see many assets, while a word can be in very many.
	return "(SELECT r.seq FROM asset_rows r WHERE r.asset_id = a.id) IN (SELECT rowid FROM asset_words WHERE asset_words MATCH ?)", sqliteQuery(terms, m)
}

// search adds to a statement that the assets have the words of a filter. Metadata count only for who may read the asset: readable is the
// condition for that, with its arguments; empty where all may be read.
func (c *Catalog) search(q *listQuery, search, readable string, args ...any) {
	terms := words(search, maxTerms)
	if len(terms) == 0 {
		q.add("1 = 0")
		return
	}
	text, match := c.found(terms, anywhere)
	q.add(text, match)
	if readable != "" {
		text, match = c.found(terms, inEntry)
		q.add("("+readable+" OR "+text+")", append(args, match)...)
	}
}

// best returns the order of what a search found, the best first: the name itself, all words in the name, all in what is said
// about the asset, then those in metadata; the newest first among equals.
func (c *Catalog) best(search string) (order string, args []any) {
	terms := words(search, maxTerms)
	name, inNames := c.found(terms, inName)
	entry, inEntries := c.found(terms, inEntry)
	return "CASE WHEN lower(a.name) = ? THEN 0 WHEN " + name + " THEN 1 WHEN " + entry + " THEN 2 ELSE 3 END, a.created_at DESC, a.name, a.id",
		[]any{strings.ToLower(strings.TrimSpace(search)), inNames, inEntries}
}

// Matching returns those of some assets, by id, that have the words of a search; in their metadata too where whole says so.
func (c *Catalog) Matching(ctx context.Context, search string, whole map[string]bool) (map[string]bool, error) {
	terms, matching := words(search, maxTerms), map[string]bool{}
	if len(terms) == 0 {
		return matching, nil
	}
	for _, all := range []bool{true, false} {
		var ids []string
		for id, w := range whole {
			if w == all {
				ids = append(ids, id)
			}
		}
		list, err := json.Marshal(ids)
		if err != nil || len(ids) == 0 {
			continue
		}
		m := inEntry
		if all {
			m = anywhere
		}
		text, query := c.found(terms, m)
		rows, err := c.db.Read().QueryContext(ctx, "SELECT a.id FROM assets a WHERE a.id IN (SELECT value FROM json_each(?)) AND "+text, string(list), query)
		if err != nil {
			return nil, fmt.Errorf("search: %w", err)
		}
		err = func() error {
			defer rows.Close()
			for rows.Next() {
				var id string
				if err := rows.Scan(&id); err != nil {
					return err
				}
				matching[id] = true
			}
			return rows.Err()
		}()
		if err != nil {
			return nil, fmt.Errorf("search: %w", err)
		}
	}
	return matching, nil
}

// IndexMissing puts assets that the index lacks into it, with the metadata that read finds: those of a database that was brought up to date or came
// from another kind of database. An asset that cannot be read is found by what the catalogue says. It returns how many it were.
func (c *Catalog) IndexMissing(ctx context.Context, read func(context.Context, Asset, Location) ([]MetadataText, error)) (n int, err error) {
	indexed := "asset_rows"
	if c.db.Shared() {
		indexed = "asset_texts"
	}
	for last := ""; ; {
		page, err := c.query(ctx, " WHERE a.state = 'live' AND a.id > ? AND NOT EXISTS (SELECT 1 FROM "+indexed+" x WHERE x.asset_id = a.id) ORDER BY a.id LIMIT ?",
			last, eachPage)
		if err != nil || len(page) == 0 {
			return n, err
		}
		metadata := make([][]MetadataText, len(page))
		for i, a := range page {
			if at, err := c.locate(ctx, a); err == nil {
				metadata[i], _ = read(ctx, a, at) // best effort: whoever opens the asset learns what is wrong
			}
		}
		last = page[len(page)-1].ID
		err = c.db.Update(ctx, func(tx *sql.Tx) error {
			for i, a := range page {
				if err := c.noteMetadata(ctx, tx, a.ID, metadata[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return n, err
		}
		n += len(page)
	}
}

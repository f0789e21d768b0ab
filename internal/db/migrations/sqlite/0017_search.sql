-- What the metadata of an asset says, as text, as far as lists and the search need it. It follows what is stored.
CREATE TABLE asset_metadata (
    asset_id TEXT NOT NULL REFERENCES assets (id) ON DELETE CASCADE,
    key      TEXT NOT NULL,
    type     TEXT NOT NULL,
    value    TEXT NOT NULL,
    PRIMARY KEY (asset_id, key)
) STRICT, WITHOUT ROWID;

-- The words of each asset, and the number under which they are found. An asset without a number waits to be read.
CREATE TABLE asset_rows (
    seq      INTEGER PRIMARY KEY,
    asset_id TEXT NOT NULL UNIQUE REFERENCES assets (id) ON DELETE CASCADE
) STRICT;
CREATE VIRTUAL TABLE asset_words USING fts5 (name, tags, description, namespace, grams, metadata,
    content = '', contentless_delete = 1, tokenize = 'ascii', prefix = '2 3');
CREATE TRIGGER asset_rows_gone AFTER DELETE ON asset_rows BEGIN DELETE FROM asset_words WHERE rowid = old.seq; END;

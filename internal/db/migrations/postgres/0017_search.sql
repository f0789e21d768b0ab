-- As in SQLite.
CREATE TABLE asset_metadata (
    asset_id TEXT COLLATE "C" NOT NULL REFERENCES assets (id) ON DELETE CASCADE,
    key      TEXT COLLATE "C" NOT NULL,
    type     TEXT NOT NULL,
    value    TEXT NOT NULL,
    PRIMARY KEY (asset_id, key)
);

-- What SQLite keeps in asset_rows and asset_words: the words of each asset, A of the name, B of all else in the entry, C of the
-- metadata, and with "~" before them the parts of the name.
CREATE TABLE asset_texts (
    asset_id TEXT COLLATE "C" PRIMARY KEY REFERENCES assets (id) ON DELETE CASCADE,
    words    TSVECTOR NOT NULL
);
CREATE INDEX asset_texts_words ON asset_texts USING gin (words);

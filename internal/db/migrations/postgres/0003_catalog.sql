CREATE TABLE assets (
    id               TEXT COLLATE "C" PRIMARY KEY,
    namespace_id     TEXT COLLATE "C" NOT NULL REFERENCES namespaces (id),
    kind             TEXT COLLATE "C" NOT NULL CHECK (kind IN ('array', 'group')),
    name             TEXT COLLATE "C" NOT NULL,
    root             TEXT NOT NULL CHECK (root IN ('default', 'local')),
    path             TEXT COLLATE "C" NOT NULL,
    state            TEXT NOT NULL CHECK (state IN ('pending', 'live', 'deleting')),
    fresh            BOOLEAN NOT NULL DEFAULT FALSE,
    created_by       TEXT NOT NULL,
    created_at       BIGINT NOT NULL,
    array_type       TEXT NOT NULL DEFAULT '',
    file_type        TEXT COLLATE "C" NOT NULL DEFAULT '',
    file_properties  TEXT NOT NULL DEFAULT '{}',
    description      TEXT COLLATE "C" NOT NULL DEFAULT '',
    logo             TEXT NOT NULL DEFAULT '',
    tags             TEXT NOT NULL DEFAULT '[]',
    license_id       TEXT NOT NULL DEFAULT '',
    license_text     TEXT NOT NULL DEFAULT '',
    credentials_name TEXT NOT NULL DEFAULT '',
    read_only        BOOLEAN NOT NULL DEFAULT FALSE
);
CREATE UNIQUE INDEX assets_name ON assets (namespace_id, name) WHERE state <> 'deleting';
CREATE UNIQUE INDEX assets_path ON assets (root, path);
CREATE INDEX assets_state ON assets (state) WHERE state <> 'live';

CREATE TABLE storage_grants (
    path         TEXT COLLATE "C" PRIMARY KEY,
    namespace_id TEXT COLLATE "C" NOT NULL REFERENCES namespaces (id) ON DELETE CASCADE,
    created_at   BIGINT NOT NULL
);

-- What SQLite has under this name, as far as it is used: the texts of a list.
CREATE FUNCTION json_each(list TEXT) RETURNS TABLE (value TEXT) LANGUAGE sql IMMUTABLE STRICT AS
    $$ SELECT json_array_elements_text(list::json) $$;

-- One row per array or group that can be addressed. root says what path is
-- relative to: 'default' is DIR/storage of this server, 'local' the machine's
-- file system. A row is 'pending' until its storage exists and 'deleting' from
-- the moment it must no longer be seen until its storage is gone.
CREATE TABLE assets (
    id               TEXT PRIMARY KEY,
    namespace_id     TEXT NOT NULL REFERENCES namespaces (id),
    kind             TEXT NOT NULL CHECK (kind IN ('array', 'group')),
    name             TEXT NOT NULL,
    root             TEXT NOT NULL CHECK (root IN ('default', 'local')),
    path             TEXT NOT NULL,
    state            TEXT NOT NULL CHECK (state IN ('pending', 'live', 'deleting')),
    fresh            INTEGER NOT NULL DEFAULT 0,
    created_by       TEXT NOT NULL,
    created_at       INTEGER NOT NULL,
    array_type       TEXT NOT NULL DEFAULT '',
    file_type        TEXT NOT NULL DEFAULT '',
    file_properties  TEXT NOT NULL DEFAULT '{}',
    description      TEXT NOT NULL DEFAULT '',
    logo             TEXT NOT NULL DEFAULT '',
    tags             TEXT NOT NULL DEFAULT '[]',
    license_id       TEXT NOT NULL DEFAULT '',
    license_text     TEXT NOT NULL DEFAULT '',
    credentials_name TEXT NOT NULL DEFAULT '',
    read_only        INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX assets_name ON assets (namespace_id, name) WHERE state <> 'deleting';
CREATE UNIQUE INDEX assets_path ON assets (root, path);
CREATE INDEX assets_state ON assets (state) WHERE state <> 'live';

-- Local directories handed to a namespace out of those the admin allowed.
CREATE TABLE storage_grants (
    path         TEXT PRIMARY KEY,
    namespace_id TEXT NOT NULL REFERENCES namespaces (id) ON DELETE CASCADE,
    created_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

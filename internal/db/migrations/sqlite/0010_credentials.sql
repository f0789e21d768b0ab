-- Credentials of namespaces for object stores. public is what may be told of one, as JSON; sealed is its secret under the
-- operator's key.
CREATE TABLE credentials (
    id               TEXT PRIMARY KEY,
    namespace_id     TEXT NOT NULL REFERENCES namespaces (id) ON DELETE CASCADE,
    name             TEXT NOT NULL,
    name_key         TEXT NOT NULL,
    provider         TEXT NOT NULL CHECK (provider IN ('AWS', 'AZURE', 'GCP')),
    type             TEXT NOT NULL CHECK (type IN ('key', 'arn', 'token', 'azure_token')),
    public           TEXT NOT NULL,
    sealed           BLOB NOT NULL,
    provider_default INTEGER NOT NULL DEFAULT 0,
    in_tasks         INTEGER NOT NULL DEFAULT 0,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    UNIQUE (namespace_id, name_key)
) STRICT, WITHOUT ROWID;

-- Credentials of namespaces for object stores. public is what may be told of one, as JSON; sealed is its secret under the
-- operator's key.
CREATE TABLE credentials (
    id               TEXT COLLATE "C" PRIMARY KEY,
    namespace_id     TEXT COLLATE "C" NOT NULL REFERENCES namespaces (id) ON DELETE CASCADE,
    name             TEXT NOT NULL,
    name_key         TEXT COLLATE "C" NOT NULL,
    provider         TEXT NOT NULL CHECK (provider IN ('AWS', 'AZURE', 'GCP')),
    type             TEXT NOT NULL CHECK (type IN ('key', 'arn', 'token', 'azure_token')),
    public           TEXT NOT NULL,
    sealed           BYTEA NOT NULL,
    provider_default BOOLEAN NOT NULL DEFAULT FALSE,
    in_tasks         BOOLEAN NOT NULL DEFAULT FALSE,
    created_at       BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL,
    UNIQUE (namespace_id, name_key)
);

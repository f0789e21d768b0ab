-- Users that are programs of an organization: they have no password, own nothing, and end with the organization. Their role in
-- it stands among the members.
CREATE TABLE service_accounts (
    user_id         TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    organization_id TEXT NOT NULL REFERENCES organizations (namespace_id) ON DELETE CASCADE,
    description     TEXT NOT NULL DEFAULT '',
    created_by      TEXT NOT NULL,
    created_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX service_accounts_organization ON service_accounts (organization_id);

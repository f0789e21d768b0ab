-- Who is invited to what: to an asset (then asset_id is set) or into an organization. The invited is a namespace, or
-- whoever shows that a mail address is his own; email_key is the address in lower case.
CREATE TABLE invitations (
    id              TEXT COLLATE "C" PRIMARY KEY,
    kind            TEXT NOT NULL CHECK (kind IN ('ARRAY_SHARE', 'GROUP_SHARE', 'JOIN_ORGANIZATION')),
    asset_id        TEXT COLLATE "C" REFERENCES assets (id) ON DELETE CASCADE,
    organization_id TEXT COLLATE "C" REFERENCES organizations (namespace_id) ON DELETE CASCADE,
    rights          TEXT NOT NULL DEFAULT '',
    member_rights   TEXT NOT NULL DEFAULT '',
    role            TEXT NOT NULL DEFAULT '',
    inviter_id      TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    namespace_id    TEXT COLLATE "C" REFERENCES namespaces (id) ON DELETE CASCADE,
    email           TEXT NOT NULL DEFAULT '',
    email_key       TEXT COLLATE "C" NOT NULL DEFAULT '',
    created_at      BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL,
    accepted_at     BIGINT,
    accepted_by     TEXT COLLATE "C" NOT NULL DEFAULT '',
    CHECK ((asset_id IS NULL) <> (organization_id IS NULL)),
    CHECK ((namespace_id IS NULL) = (email_key <> ''))
);
CREATE INDEX invitations_asset ON invitations (asset_id);
CREATE INDEX invitations_organization ON invitations (organization_id);
CREATE INDEX invitations_inviter ON invitations (inviter_id);
CREATE INDEX invitations_namespace ON invitations (namespace_id);
CREATE INDEX invitations_email ON invitations (email_key);

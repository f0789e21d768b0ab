-- The namespace that stands for everybody: assets are shared to it, nobody owns any in it.
INSERT INTO namespaces (id, name, name_key, kind, created_at)
VALUES ('00000000-0000-4000-8000-000000000001', 'public', 'public', 'organization', 0);

-- Where a namespace's new assets go unless their creator says so, as JSON.
ALTER TABLE namespaces ADD COLUMN defaults TEXT NOT NULL DEFAULT '{}';

-- What a user says about itself, as JSON; nothing is looked up by it.
ALTER TABLE users ADD COLUMN profile TEXT NOT NULL DEFAULT '{}';
ALTER TABLE users ADD COLUMN email_confirmed BOOLEAN NOT NULL DEFAULT FALSE;
-- An account that asked to be made and waits for the administrator.
ALTER TABLE users ADD COLUMN waiting BOOLEAN NOT NULL DEFAULT FALSE;

CREATE TABLE organizations (
    namespace_id TEXT COLLATE "C" PRIMARY KEY REFERENCES namespaces (id),
    description  TEXT NOT NULL DEFAULT '',
    logo         TEXT NOT NULL DEFAULT '',
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL
);

CREATE TABLE members (
    organization_id TEXT COLLATE "C" NOT NULL REFERENCES organizations (namespace_id) ON DELETE CASCADE,
    user_id         TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role            TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'read_write_delete', 'read_write', 'read_only')),
    created_at      BIGINT NOT NULL,
    PRIMARY KEY (organization_id, user_id)
);
CREATE INDEX members_user ON members (user_id);

-- To whom an asset is shared. Rights are names as the API carries them for arrays, separated by blanks; those on the
-- members of a group stand apart.
CREATE TABLE shares (
    asset_id      TEXT COLLATE "C" NOT NULL REFERENCES assets (id) ON DELETE CASCADE,
    namespace_id  TEXT COLLATE "C" NOT NULL REFERENCES namespaces (id) ON DELETE CASCADE,
    rights        TEXT NOT NULL,
    member_rights TEXT NOT NULL DEFAULT '',
    created_by    TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    PRIMARY KEY (asset_id, namespace_id)
);
CREATE INDEX shares_namespace ON shares (namespace_id);

-- Which assets are members of which groups, as far as the catalogue knows both. shared says that whoever added the member
-- could have shared it: the group's shares then reach it.
CREATE TABLE group_members (
    group_id TEXT COLLATE "C" NOT NULL REFERENCES assets (id) ON DELETE CASCADE,
    asset_id TEXT COLLATE "C" NOT NULL REFERENCES assets (id) ON DELETE CASCADE,
    shared   BOOLEAN NOT NULL,
    PRIMARY KEY (group_id, asset_id)
);
CREATE INDEX group_members_asset ON group_members (asset_id);

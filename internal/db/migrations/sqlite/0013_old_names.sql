-- Names that assets had before they were renamed or went to another namespace: they lead to the asset until another one takes
-- the name.
CREATE TABLE old_names (
    namespace_id TEXT NOT NULL REFERENCES namespaces (id) ON DELETE CASCADE,
    name         TEXT NOT NULL,
    asset_id     TEXT NOT NULL REFERENCES assets (id) ON DELETE CASCADE,
    since        INTEGER NOT NULL,
    PRIMARY KEY (namespace_id, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX old_names_asset ON old_names (asset_id, namespace_id);

-- The namespace in whose part of the default storage an asset lies that is another's now; empty for the owner's own.
ALTER TABLE assets ADD COLUMN home TEXT NOT NULL DEFAULT '';
CREATE INDEX assets_home ON assets (home) WHERE home <> '';

-- As in SQLite.
CREATE TABLE old_names (
    namespace_id TEXT COLLATE "C" NOT NULL REFERENCES namespaces (id) ON DELETE CASCADE,
    name         TEXT COLLATE "C" NOT NULL,
    asset_id     TEXT COLLATE "C" NOT NULL REFERENCES assets (id) ON DELETE CASCADE,
    since        BIGINT NOT NULL,
    PRIMARY KEY (namespace_id, name)
);
CREATE INDEX old_names_asset ON old_names (asset_id, namespace_id);

ALTER TABLE assets ADD COLUMN home TEXT COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX assets_home ON assets (home) WHERE home <> '';

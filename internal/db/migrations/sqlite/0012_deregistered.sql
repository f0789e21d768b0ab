-- Places in the default storage whose asset was taken out of the catalogue on purpose while its files stayed: no check of the
-- storage may take them for lost.
CREATE TABLE deregistered (
    root         TEXT NOT NULL,
    path         TEXT NOT NULL,
    namespace_id TEXT NOT NULL,
    asset_id     TEXT NOT NULL,
    kind         TEXT NOT NULL,
    name         TEXT NOT NULL,
    at           INTEGER NOT NULL,
    PRIMARY KEY (root, path)
) STRICT, WITHOUT ROWID;

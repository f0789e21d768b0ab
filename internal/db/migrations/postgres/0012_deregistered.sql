-- Places in the default storage whose asset was taken out of the catalogue on purpose while its files stayed: no check of the
-- storage may take them for lost.
CREATE TABLE deregistered (
    root         TEXT NOT NULL,
    path         TEXT COLLATE "C" NOT NULL,
    namespace_id TEXT COLLATE "C" NOT NULL,
    asset_id     TEXT COLLATE "C" NOT NULL,
    kind         TEXT NOT NULL,
    name         TEXT COLLATE "C" NOT NULL,
    at           BIGINT NOT NULL,
    PRIMARY KEY (root, path)
);

-- Who used which asset how. Rows are only ever added; those of assets that are gone stay.
CREATE TABLE uses (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT NOT NULL UNIQUE,
    asset_id   TEXT NOT NULL,
    at         INTEGER NOT NULL,
    action     TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    user_name  TEXT NOT NULL,
    address    TEXT NOT NULL,
    agent      TEXT NOT NULL,
    request_id TEXT NOT NULL,
    sent       INTEGER NOT NULL,
    received   INTEGER NOT NULL,
    task_id    TEXT NOT NULL
) STRICT;
CREATE INDEX uses_asset ON uses (asset_id, seq);
CREATE INDEX uses_user ON uses (user_id, seq);
CREATE TRIGGER uses_no_update BEFORE UPDATE ON uses BEGIN SELECT RAISE(ABORT, 'activity is append only'); END;
CREATE TRIGGER uses_no_delete BEFORE DELETE ON uses BEGIN SELECT RAISE(ABORT, 'activity is append only'); END;

-- What users marked to find again.
CREATE TABLE favorites (
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    asset_id   TEXT NOT NULL REFERENCES assets (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, asset_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX favorites_asset ON favorites (asset_id);

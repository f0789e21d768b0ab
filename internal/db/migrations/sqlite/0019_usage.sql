-- What was done at whose cost: sums by day (days since 1970, UTC), user, the namespace that pays, and asset (empty for none).
-- Rows of what is gone stay.
CREATE TABLE usage (
    day      INTEGER NOT NULL,
    payer_id TEXT NOT NULL,
    user_id  TEXT NOT NULL,
    asset_id TEXT NOT NULL,
    requests INTEGER NOT NULL,
    sent     INTEGER NOT NULL,
    received INTEGER NOT NULL,
    task_ms  INTEGER NOT NULL,
    PRIMARY KEY (payer_id, day, user_id, asset_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_user ON usage (user_id, day);
CREATE INDEX usage_asset ON usage (asset_id, day);

-- What a namespace may spend in a calendar month, UTC; -1 is any number.
CREATE TABLE quotas (
    namespace_id TEXT PRIMARY KEY REFERENCES namespaces (id) ON DELETE CASCADE,
    requests     INTEGER NOT NULL,
    sent         INTEGER NOT NULL,
    received     INTEGER NOT NULL,
    task_ms      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

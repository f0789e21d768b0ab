-- As in SQLite.
CREATE TABLE usage (
    day      BIGINT NOT NULL,
    payer_id TEXT COLLATE "C" NOT NULL,
    user_id  TEXT COLLATE "C" NOT NULL,
    asset_id TEXT COLLATE "C" NOT NULL,
    requests BIGINT NOT NULL,
    sent     BIGINT NOT NULL,
    received BIGINT NOT NULL,
    task_ms  BIGINT NOT NULL,
    PRIMARY KEY (payer_id, day, user_id, asset_id)
);
CREATE INDEX usage_user ON usage (user_id, day);
CREATE INDEX usage_asset ON usage (asset_id, day);

CREATE TABLE quotas (
    namespace_id TEXT COLLATE "C" PRIMARY KEY REFERENCES namespaces (id) ON DELETE CASCADE,
    requests     BIGINT NOT NULL,
    sent         BIGINT NOT NULL,
    received     BIGINT NOT NULL,
    task_ms      BIGINT NOT NULL
);

-- As in SQLite.
CREATE TABLE uses (
    seq        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id         TEXT COLLATE "C" NOT NULL UNIQUE,
    asset_id   TEXT COLLATE "C" NOT NULL,
    at         BIGINT NOT NULL,
    action     TEXT COLLATE "C" NOT NULL,
    user_id    TEXT COLLATE "C" NOT NULL,
    user_name  TEXT NOT NULL,
    address    TEXT NOT NULL,
    agent      TEXT NOT NULL,
    request_id TEXT NOT NULL,
    sent       BIGINT NOT NULL,
    received   BIGINT NOT NULL,
    task_id    TEXT NOT NULL
);
CREATE INDEX uses_asset ON uses (asset_id, seq);
CREATE INDEX uses_user ON uses (user_id, seq);
CREATE FUNCTION activity_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'activity is append only'; END $$;
CREATE TRIGGER uses_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON uses
    FOR EACH STATEMENT EXECUTE FUNCTION activity_is_append_only();

CREATE TABLE favorites (
    user_id    TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    asset_id   TEXT COLLATE "C" NOT NULL REFERENCES assets (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, asset_id)
);
CREATE INDEX favorites_asset ON favorites (asset_id);

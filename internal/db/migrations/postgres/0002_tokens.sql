CREATE TABLE tokens (
    id              TEXT COLLATE "C" PRIMARY KEY,
    hash            BYTEA NOT NULL,
    user_id         TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind            TEXT NOT NULL CHECK (kind IN ('api', 'session', 'notebook', 'task')),
    name            TEXT COLLATE "C" NOT NULL,
    tail            TEXT NOT NULL,
    scopes          TEXT NOT NULL,
    issued_at       BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL,
    revoked_at      BIGINT,
    expiry_noted    INTEGER NOT NULL DEFAULT 0,
    last_used_at    BIGINT,
    last_used_ip    TEXT NOT NULL DEFAULT '',
    last_used_agent TEXT NOT NULL DEFAULT ''
);

CREATE UNIQUE INDEX tokens_name ON tokens (user_id, name) WHERE revoked_at IS NULL;
CREATE INDEX tokens_owner ON tokens (user_id, issued_at);
CREATE INDEX tokens_expiry ON tokens (expires_at);

CREATE TABLE audit (
    seq        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         BIGINT NOT NULL,
    event      TEXT NOT NULL,
    user_id    TEXT COLLATE "C" NOT NULL,
    token_id   TEXT NOT NULL,
    token_name TEXT NOT NULL,
    address    TEXT NOT NULL,
    request_id TEXT NOT NULL,
    detail     TEXT NOT NULL
);
CREATE INDEX audit_user ON audit (user_id, seq);
CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'audit is append only'; END $$;
CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();

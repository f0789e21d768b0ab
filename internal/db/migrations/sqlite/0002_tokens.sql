-- One row per REST token or session. The secret itself is never stored: id is
-- made of the first 16 bytes of its SHA-256, hash is all 32, tail its last 7
-- characters. Times are seconds since 1970, UTC.
CREATE TABLE tokens (
    id              TEXT PRIMARY KEY,
    hash            BLOB NOT NULL,
    user_id         TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind            TEXT NOT NULL CHECK (kind IN ('api', 'session', 'notebook', 'task')),
    name            TEXT NOT NULL,
    tail            TEXT NOT NULL,
    scopes          TEXT NOT NULL,
    issued_at       INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    revoked_at      INTEGER,
    expiry_noted    INTEGER NOT NULL DEFAULT 0,
    last_used_at    INTEGER,
    last_used_ip    TEXT NOT NULL DEFAULT '',
    last_used_agent TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

-- A name is taken until its token is revoked or swept.
CREATE UNIQUE INDEX tokens_name ON tokens (user_id, name) WHERE revoked_at IS NULL;
CREATE INDEX tokens_owner ON tokens (user_id, issued_at);
CREATE INDEX tokens_expiry ON tokens (expires_at);

-- Who did what to a token. Rows are only ever added.
CREATE TABLE audit (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    at         INTEGER NOT NULL,
    event      TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    token_id   TEXT NOT NULL,
    token_name TEXT NOT NULL,
    address    TEXT NOT NULL,
    request_id TEXT NOT NULL,
    detail     TEXT NOT NULL
) STRICT;
CREATE INDEX audit_user ON audit (user_id, seq);
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append only'); END;

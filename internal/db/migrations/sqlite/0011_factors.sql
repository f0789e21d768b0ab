-- The second factor of a user: the secret of its codes under the operator's key, from when on it is asked for, the last time
-- step of which a code was used, and SHA-256 of the recovery codes that are left, separated by blanks.
CREATE TABLE second_factors (
    user_id      TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    sealed       BLOB NOT NULL,
    confirmed_at INTEGER,
    last_step    INTEGER NOT NULL DEFAULT 0,
    recovery     TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

-- The second factor of a user: the secret of its codes under the operator's key, from when on it is asked for, the last time
-- step of which a code was used, and SHA-256 of the recovery codes that are left, separated by blanks.
CREATE TABLE second_factors (
    user_id      TEXT COLLATE "C" PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    sealed       BYTEA NOT NULL,
    confirmed_at BIGINT,
    last_step    BIGINT NOT NULL DEFAULT 0,
    recovery     TEXT NOT NULL DEFAULT ''
);

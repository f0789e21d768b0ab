-- As in SQLite. Text is compared byte by byte, as SQLite does.
CREATE TABLE namespaces (
    id         TEXT COLLATE "C" PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL,
    name_key   TEXT COLLATE "C" NOT NULL UNIQUE,
    kind       TEXT NOT NULL CHECK (kind IN ('user', 'organization')),
    created_at BIGINT NOT NULL
);

CREATE TABLE users (
    id            TEXT COLLATE "C" PRIMARY KEY,
    namespace_id  TEXT COLLATE "C" NOT NULL UNIQUE REFERENCES namespaces (id),
    full_name     TEXT NOT NULL DEFAULT '',
    email         TEXT NOT NULL DEFAULT '',
    password_hash TEXT NOT NULL,
    admin         BOOLEAN NOT NULL DEFAULT FALSE,
    disabled_at   BIGINT,
    created_at    BIGINT NOT NULL
);

-- One row, counted up by every transaction that commits: whoever remembers
-- something learns from it whether another server has written since.
CREATE TABLE changes (n BIGINT NOT NULL);
INSERT INTO changes VALUES (0);

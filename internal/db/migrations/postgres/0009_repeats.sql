-- As in SQLite.
CREATE TABLE repeats (
    id       TEXT COLLATE "C" PRIMARY KEY,
    fragment TEXT COLLATE "C" NOT NULL,
    done     BIGINT NOT NULL,
    maker    TEXT COLLATE "C" NOT NULL,
    at       BIGINT NOT NULL
);

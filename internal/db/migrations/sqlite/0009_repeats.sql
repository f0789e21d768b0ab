-- Writes whose reply was not fully sent, or not yet: what a repetition of the same
-- request is answered with. done is 1 when the fragment is committed; maker is the
-- server process at work on it, where several share the database, else empty.
CREATE TABLE repeats (
    id       TEXT PRIMARY KEY,
    fragment TEXT NOT NULL,
    done     INTEGER NOT NULL,
    maker    TEXT NOT NULL,
    at       INTEGER NOT NULL
);

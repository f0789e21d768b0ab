-- Up to which line of the audit log each stream of it was sent.
CREATE TABLE audit_streams (
    name TEXT PRIMARY KEY,
    seq  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Activity before this time, in milliseconds since 1970, may be removed; none unless the operator says how long it is kept.
CREATE TABLE uses_retention (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    before_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO uses_retention (one, before_at) VALUES (1, 0);
CREATE INDEX uses_at ON uses (at);
DROP TRIGGER uses_no_delete;
CREATE TRIGGER uses_no_delete BEFORE DELETE ON uses WHEN OLD.at >= (SELECT before_at FROM uses_retention)
    BEGIN SELECT RAISE(ABORT, 'activity is append only'); END;

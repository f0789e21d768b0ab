-- Up to which line of the audit log each stream of it was sent.
CREATE TABLE audit_streams (
    name TEXT COLLATE "C" PRIMARY KEY,
    seq  BIGINT NOT NULL
);

-- Activity before this time, in milliseconds since 1970, may be removed; none unless the operator says how long it is kept.
CREATE TABLE uses_retention (
    one       BIGINT PRIMARY KEY CHECK (one = 1),
    before_at BIGINT NOT NULL
);
INSERT INTO uses_retention (one, before_at) VALUES (1, 0);
CREATE INDEX uses_at ON uses (at);
DROP TRIGGER uses_no_change ON uses;
CREATE TRIGGER uses_no_change BEFORE UPDATE OR TRUNCATE ON uses
    FOR EACH STATEMENT EXECUTE FUNCTION activity_is_append_only();
CREATE FUNCTION recent_activity_stays() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN
        IF OLD.at >= (SELECT before_at FROM uses_retention) THEN RAISE EXCEPTION 'activity is append only'; END IF;
        RETURN OLD;
    END $$;
CREATE TRIGGER uses_no_delete BEFORE DELETE ON uses FOR EACH ROW EXECUTE FUNCTION recent_activity_stays();

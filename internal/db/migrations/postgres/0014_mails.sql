-- Mails to be sent, and for a week what came of them. A row says what the mail is about, never its text: links are made when
-- it is sent, so no secret is kept. ref is the user or the invitation that it is about, address in lower case whom it goes to.
CREATE TABLE mails (
    id         TEXT COLLATE "C" PRIMARY KEY,
    kind       TEXT COLLATE "C" NOT NULL,
    ref        TEXT COLLATE "C" NOT NULL,
    address    TEXT COLLATE "C" NOT NULL,
    state      TEXT COLLATE "C" NOT NULL CHECK (state IN ('waiting', 'sent', 'dropped')),
    created_at BIGINT NOT NULL,
    next_at    BIGINT NOT NULL,
    attempts   BIGINT NOT NULL DEFAULT 0,
    done_at    BIGINT,
    reason     TEXT NOT NULL DEFAULT ''
);
-- What waits already is not asked for twice.
CREATE UNIQUE INDEX mails_waiting ON mails (kind, ref, address) WHERE state = 'waiting';
CREATE INDEX mails_next ON mails (next_at) WHERE state = 'waiting';
CREATE INDEX mails_address ON mails (address, done_at);

-- Users by mail address.
CREATE INDEX users_email ON users (lower(email)) WHERE email <> '';

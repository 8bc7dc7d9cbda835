-- What admins are told. Things to tell are gathered by audience and cause, become notices (one row for
-- each mailbox and webhook), and are gone once they were taken or are a day old. No code, ever.
PRAGMA user_version = 4;

-- How far the events were read and the starts looked at; absent: nobody was ever to be told.
CREATE TABLE notice_cursor (
  one   INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
  seq   INTEGER NOT NULL, -- the last event that was read
  swept INTEGER NOT NULL  -- starts up to here were looked at
) STRICT;

-- What waits for its notice. The words are made from the state when the notice is.
CREATE TABLE notice_item (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  audience TEXT    NOT NULL,           -- '' or the name of a tenant that has its own
  cause    TEXT    NOT NULL,
  tenant   TEXT    NOT NULL DEFAULT '',
  hire_id  INTEGER,
  about    TEXT    NOT NULL DEFAULT '', -- the feed and file, where it is no hire
  why      TEXT    NOT NULL DEFAULT '',
  at       INTEGER NOT NULL
) STRICT;
CREATE INDEX notice_item_cause ON notice_item (audience, cause, id);

-- When each cause was told last: one notice per cause and hour; of the digest, which one was made last.
CREATE TABLE notice_told (
  audience TEXT    NOT NULL,
  cause    TEXT    NOT NULL,
  at       INTEGER NOT NULL,
  PRIMARY KEY (audience, cause)
) STRICT, WITHOUT ROWID;

-- On its way to one mailbox or webhook.
CREATE TABLE notice (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  uid      TEXT    NOT NULL,           -- its Message-ID or webhook-id, the same at every try
  target   TEXT    NOT NULL,           -- mail/ADDRESS or webhook/NAME
  cause    TEXT    NOT NULL,
  body     TEXT    NOT NULL,           -- JSON, without a code
  made_at  INTEGER NOT NULL,
  tries    INTEGER NOT NULL DEFAULT 0,
  next_at  INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX notice_uid ON notice (uid);
CREATE INDEX notice_next ON notice (next_at);

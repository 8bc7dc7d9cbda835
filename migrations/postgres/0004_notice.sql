-- What admins are told. Things to tell are gathered by audience and cause, become notices (one row for
-- each mailbox and webhook), and are gone once they were taken or are a day old. No code, ever.

-- How far the events were read and the starts looked at; absent: nobody was ever to be told.
CREATE TABLE notice_cursor (
  one   BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
  seq   BIGINT NOT NULL, -- the last event that was read
  swept BIGINT NOT NULL  -- starts up to here were looked at
);

-- What waits for its notice. The words are made from the state when the notice is.
CREATE TABLE notice_item (
  id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  audience TEXT COLLATE "C" NOT NULL,           -- '' or the name of a tenant that has its own
  cause    TEXT COLLATE "C" NOT NULL,
  tenant   TEXT    NOT NULL DEFAULT '',
  hire_id  BIGINT,
  about    TEXT    NOT NULL DEFAULT '', -- the feed and file, where it is no hire
  why      TEXT    NOT NULL DEFAULT '',
  at       BIGINT NOT NULL
);
CREATE INDEX notice_item_cause ON notice_item (audience, cause, id);

-- When each cause was told last: one notice per cause and hour; of the digest, which one was made last.
CREATE TABLE notice_told (
  audience TEXT COLLATE "C" NOT NULL,
  cause    TEXT COLLATE "C" NOT NULL,
  at       BIGINT NOT NULL,
  PRIMARY KEY (audience, cause)
);

-- On its way to one mailbox or webhook.
CREATE TABLE notice (
  id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  uid      TEXT    NOT NULL,           -- its Message-ID or webhook-id, the same at every try
  target   TEXT    NOT NULL,           -- mail/ADDRESS or webhook/NAME
  cause    TEXT COLLATE "C" NOT NULL,
  body     TEXT    NOT NULL,           -- JSON, without a code
  made_at  BIGINT NOT NULL,
  tries    BIGINT NOT NULL DEFAULT 0,
  next_at  BIGINT NOT NULL
);
CREATE UNIQUE INDEX notice_uid ON notice (uid);
CREATE INDEX notice_next ON notice (next_at);

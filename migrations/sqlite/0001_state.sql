-- The state of firstpass. Instants are epoch milliseconds, civil dates `2027-03-01`, wall times
-- `09:00:00`, absent instants NULL, absent texts ''. No column ever holds the code of a pass.
PRAGMA application_id = 1718641011; -- "fpas"
PRAGMA user_version = 1;

-- What is wanted. Feeds and operators write what is wanted and revision + 1; only the holder of the
-- claim writes the rest. SQLite makes the list of an IN anew for every row it checks: the usual value
-- stands before it, or a large file takes twice as long.
CREATE TABLE hire (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant          TEXT    NOT NULL,
  employee_id     TEXT    NOT NULL,
  engagement      INTEGER NOT NULL DEFAULT 1,
  current         INTEGER NOT NULL DEFAULT 1 CHECK (current IN (0, 1)),
  feed            TEXT    NOT NULL,
  source_file     TEXT    NOT NULL,
  source_line     INTEGER NOT NULL,
  user_ref        TEXT    NOT NULL DEFAULT '',
  display_name    TEXT    NOT NULL DEFAULT '',
  manager_ref     TEXT    NOT NULL DEFAULT '',
  language        TEXT    NOT NULL DEFAULT '',
  start_date      TEXT    NOT NULL,
  start_time      TEXT    NOT NULL,
  zone            TEXT    NOT NULL DEFAULT '',
  send_time       TEXT    NOT NULL,
  feed_status     TEXT    NOT NULL DEFAULT 'active' CHECK (feed_status = 'active' OR feed_status IN ('active', 'withdrawn', 'vanished')),
  operator_status TEXT    NOT NULL DEFAULT 'none' CHECK (operator_status = 'none' OR operator_status IN ('none', 'held', 'cancelled')),
  revision        INTEGER NOT NULL DEFAULT 1,
  state           TEXT    NOT NULL DEFAULT 'pending' CHECK (state = 'pending' OR state IN
                    ('pending', 'issuing', 'sending', 'delivered', 'attention', 'held', 'cancelled')),
  reason          TEXT    CHECK (reason IS NULL OR reason IN
                    ('user-missing', 'user-disabled', 'user-external', 'user-ambiguous', 'user-privileged',
                     'user-out-of-scope', 'user-registered', 'unanswered', 'foreign-pass', 'policy-off',
                     'policy-scope', 'policy-lifetime', 'manager-missing', 'manager-mismatch',
                     'manager-unusable', 'channel-unverified', 'channel-domain', 'channel-cooling',
                     'mail-rejected', 'graph-refused', 'graph-unexpected', 'missed', 'tries-exhausted',
                     'vanished', 'zone-unknown', 'tenant-stopped', 'mail-stopped', 'clock')),
  what_to_do      TEXT    NOT NULL DEFAULT '',
  start_at        INTEGER,
  send_at         INTEGER,
  window_from     INTEGER,
  window_until    INTEGER,
  day_from        INTEGER,
  day_until       INTEGER,
  look_at         INTEGER,
  tries           INTEGER NOT NULL DEFAULT 0,
  claims          INTEGER NOT NULL DEFAULT 0,
  claim_token     TEXT,
  claim_worker    TEXT,
  lease_until     INTEGER,
  user_upn        TEXT    NOT NULL DEFAULT '',
  manager_upn     TEXT    NOT NULL DEFAULT '',
  channel         TEXT    NOT NULL DEFAULT '',
  first_seen      INTEGER NOT NULL,
  changed         INTEGER NOT NULL,
  CHECK ((claim_token IS NULL) = (lease_until IS NULL)),
  CHECK ((claim_token IS NULL) = (claim_worker IS NULL))
) STRICT;

-- One newest engagement per person.
CREATE UNIQUE INDEX hire_current ON hire (tenant, employee_id) WHERE current = 1;
-- Former ones, few; each index on what every new hire has costs a roster a tenth of its time.
CREATE UNIQUE INDEX hire_former ON hire (tenant, employee_id, engagement) WHERE current = 0;
-- What is due: its cost follows what is due, not what is stored.
CREATE INDEX hire_due ON hire (look_at) WHERE look_at IS NOT NULL;
CREATE INDEX hire_leased ON hire (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX hire_attention ON hire (id) WHERE state = 'attention';

-- What was made, mailed or must go.
CREATE TABLE pass (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  hire_id       INTEGER NOT NULL REFERENCES hire (id),
  state         TEXT    NOT NULL CHECK (state IN
                  ('intended', 'issued', 'mailing', 'mailed', 'condemned', 'gone', 'over')),
  claim_token   TEXT    NOT NULL,
  user_id       TEXT    NOT NULL,
  graph_id      TEXT,
  start_at      INTEGER,           -- NULL: usable at once
  lifetime_min  INTEGER NOT NULL CHECK (lifetime_min > 0),
  one_time      INTEGER NOT NULL CHECK (one_time IN (0, 1)),
  recipient     TEXT    NOT NULL,
  manager_id    TEXT    NOT NULL,
  made_at       INTEGER NOT NULL,  -- of the intent
  hire_revision INTEGER NOT NULL,
  valid_from    INTEGER,
  valid_until   INTEGER,
  mailed_at     INTEGER,
  told_at       INTEGER,           -- a letter said that the code is void
  message_id    TEXT    NOT NULL DEFAULT '',
  looks         INTEGER NOT NULL DEFAULT 0 CHECK (looks >= 0),
  look_at       INTEGER,
  outcome       TEXT    CHECK (outcome IN ('unused', 'used', 'ended', 'replaced', 'deleted')),
  owes          INTEGER NOT NULL DEFAULT 0 CHECK (owes IN (0, 1)),
  cause         TEXT    NOT NULL DEFAULT ''
) STRICT;

-- A new intent is impossible while an old one is unsettled.
CREATE UNIQUE INDEX pass_unsettled ON pass (hire_id) WHERE state IN ('intended', 'issued', 'mailing', 'condemned');
CREATE INDEX pass_hire ON pass (hire_id);
CREATE INDEX pass_user ON pass (user_id) WHERE graph_id IS NOT NULL;
CREATE INDEX pass_mailed ON pass (mailed_at) WHERE mailed_at IS NOT NULL;
CREATE INDEX pass_told ON pass (told_at) WHERE told_at IS NOT NULL;

-- Files and readings of the feeds.
CREATE TABLE file (
  id        INTEGER PRIMARY KEY AUTOINCREMENT,
  feed      TEXT    NOT NULL,
  file      TEXT    NOT NULL,
  sha256    TEXT    NOT NULL,
  mapping   TEXT    NOT NULL DEFAULT '',
  read_at   INTEGER NOT NULL,
  rows      INTEGER NOT NULL DEFAULT 0,
  added     INTEGER NOT NULL DEFAULT 0,
  changed   INTEGER NOT NULL DEFAULT 0,
  withdrawn INTEGER NOT NULL DEFAULT 0,
  unchanged INTEGER NOT NULL DEFAULT 0,
  past      INTEGER NOT NULL DEFAULT 0,
  rejected  INTEGER NOT NULL DEFAULT 0,
  state     TEXT    NOT NULL CHECK (state IN ('taken', 'held', 'refused', 'superseded', 'rejected'))
) STRICT;
CREATE INDEX file_feed ON file (feed, id);
CREATE INDEX file_digest ON file (sha256);

-- People whom a file named with a start that was over: no hire, but no stranger either.
CREATE TABLE known_person (
  feed        TEXT NOT NULL,
  employee_id TEXT NOT NULL,
  PRIMARY KEY (feed, employee_id)
) STRICT, WITHOUT ROWID;

-- Rejected rows of a feed's newest file: a reject is told once as long as it stays the same.
CREATE TABLE known_reject (
  feed   TEXT NOT NULL,
  digest TEXT NOT NULL,
  PRIMARY KEY (feed, digest)
) STRICT, WITHOUT ROWID;

-- What happened, in order. Ids only: no names, no addresses.
CREATE TABLE event (
  seq     INTEGER PRIMARY KEY AUTOINCREMENT,
  at      INTEGER NOT NULL,
  tenant  TEXT    NOT NULL DEFAULT '',
  hire_id INTEGER REFERENCES hire (id),
  file_id INTEGER REFERENCES file (id),
  what    TEXT    NOT NULL,
  why     TEXT    NOT NULL DEFAULT '',
  by_whom TEXT    NOT NULL DEFAULT 'firstpass'
) STRICT;
CREATE INDEX event_hire ON event (hire_id, seq) WHERE hire_id IS NOT NULL;

-- What stops a tenant (`tenant/contoso`) or the mail (`mail`): a restart does not forget it.
CREATE TABLE gate (
  name       TEXT    NOT NULL PRIMARY KEY,
  not_before INTEGER,
  stopped    TEXT,
  since      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The last time a tick was alive; at most once a minute.
CREATE TABLE heartbeat (
  one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
  at  INTEGER NOT NULL
) STRICT;

-- Small facts about the state itself: versions of zone data and schedules the instants were made with.
CREATE TABLE meta (
  key   TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- When the next file of a feed is waited for, whether it was told that none came, and when old files
-- were last looked for.
PRAGMA user_version = 3;

CREATE TABLE feed_watch (
  feed      TEXT    NOT NULL PRIMARY KEY,
  file_id   INTEGER,          -- the newest file that was counted; NULL: none yet
  since     INTEGER NOT NULL, -- the next file is waited for from here on
  told_at   INTEGER,          -- told that none came in time; NULL: all is well
  tidied_at INTEGER NOT NULL  -- last look for files older than keep_files
) STRICT, WITHOUT ROWID;

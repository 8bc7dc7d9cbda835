-- When the next file of a feed is waited for, whether it was told that none came, and when old files
-- were last looked for.
CREATE TABLE feed_watch (
  feed      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  file_id   BIGINT,          -- the newest file that was counted; NULL: none yet
  since     BIGINT NOT NULL, -- the next file is waited for from here on
  told_at   BIGINT,          -- told that none came in time; NULL: all is well
  tidied_at BIGINT NOT NULL  -- last look for files older than keep_files
);

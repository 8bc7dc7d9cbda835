-- What reviewers read (the same columns on every database). Local times as
-- `2027-03-01 09:00 Europe/Berlin`, instants as `2027-03-01T08:00:00Z`, unknown ones NULL.
PRAGMA user_version = 2;

-- The later of the database's time and the last sign of life: a fast-forwarded morning is today.
CREATE VIEW review_clock AS
SELECT max(unixepoch() * 1000, coalesce((SELECT at FROM heartbeat), 0)) AS now_ms;

-- A hire's pass is the newest one that exists, existed for its recipient, or must go.
CREATE VIEW review_base AS
SELECT
  h.id, h.day_from, h.day_until,
  h.tenant, h.employee_id, h.display_name,
  CASE WHEN h.user_upn <> '' THEN h.user_upn ELSE h.user_ref END AS "user",
  CASE WHEN h.manager_upn <> '' THEN h.manager_upn ELSE h.manager_ref END AS manager,
  h.channel,
  rtrim(h.start_date || ' ' || substr(h.start_time, 1, 5) || ' ' || h.zone) AS start_local,
  rtrim(h.start_date || ' ' || substr(min(h.send_time, h.start_time), 1, 5) || ' ' || h.zone) AS send_local,
  strftime('%Y-%m-%dT%H:%M:%SZ', h.start_at / 1000, 'unixepoch') AS start_utc,
  strftime('%Y-%m-%dT%H:%M:%SZ', h.send_at / 1000, 'unixepoch') AS send_utc,
  h.state, h.reason, h.what_to_do, h.tries,
  strftime('%Y-%m-%dT%H:%M:%SZ', h.look_at / 1000, 'unixepoch') AS next_try_utc,
  p.graph_id AS pass_id,
  strftime('%Y-%m-%dT%H:%M:%SZ', p.valid_from / 1000, 'unixepoch') AS pass_from_utc,
  strftime('%Y-%m-%dT%H:%M:%SZ', p.valid_until / 1000, 'unixepoch') AS pass_until_utc,
  CASE WHEN p.mailed_at IS NOT NULL THEN p.recipient END AS mailed_to,
  strftime('%Y-%m-%dT%H:%M:%SZ', p.mailed_at / 1000, 'unixepoch') AS mailed_utc,
  p.outcome,
  h.feed, h.source_file, h.source_line,
  strftime('%Y-%m-%dT%H:%M:%SZ', h.first_seen / 1000, 'unixepoch') AS first_seen_utc,
  strftime('%Y-%m-%dT%H:%M:%SZ', h.changed / 1000, 'unixepoch') AS changed_utc
FROM hire h
LEFT JOIN pass p ON p.id = (
  SELECT max(q.id) FROM pass q
  WHERE q.hire_id = h.id
    AND (q.state IN ('issued', 'mailing', 'mailed', 'condemned') OR q.mailed_at IS NOT NULL OR q.outcome IS NOT NULL));

CREATE VIEW review_hire AS
SELECT
  tenant, employee_id, display_name, "user", manager, channel, start_local, send_local, start_utc, send_utc,
  state, reason, what_to_do, tries, next_try_utc, pass_id, pass_from_utc, pass_until_utc, mailed_to,
  mailed_utc, outcome, feed, source_file, source_line, first_seen_utc, changed_utc
FROM review_base;

-- The start date is today where the hire is.
CREATE VIEW review_today AS
SELECT
  tenant, employee_id, display_name, "user", manager, channel, start_local, send_local, start_utc, send_utc,
  state, reason, what_to_do, tries, next_try_utc, pass_id, pass_from_utc, pass_until_utc, mailed_to,
  mailed_utc, outcome, feed, source_file, source_line, first_seen_utc, changed_utc
FROM review_base CROSS JOIN review_clock
WHERE day_from <= now_ms AND now_ms < day_until;

-- The 14 days after today where the hire is.
CREATE VIEW review_upcoming AS
SELECT
  tenant, employee_id, display_name, "user", manager, channel, start_local, send_local, start_utc, send_utc,
  state, reason, what_to_do, tries, next_try_utc, pass_id, pass_from_utc, pass_until_utc, mailed_to,
  mailed_utc, outcome, feed, source_file, source_line, first_seen_utc, changed_utc
FROM review_base CROSS JOIN review_clock
WHERE day_from > now_ms AND day_from <= now_ms + 14 * 86400000;

CREATE VIEW review_attention AS
SELECT
  tenant, employee_id, display_name, "user", manager, channel, start_local, send_local, start_utc, send_utc,
  state, reason, what_to_do, tries, next_try_utc, pass_id, pass_from_utc, pass_until_utc, mailed_to,
  mailed_utc, outcome, feed, source_file, source_line, first_seen_utc, changed_utc
FROM review_base WHERE state = 'attention';

CREATE VIEW review_event AS
SELECT
  e.seq, strftime('%Y-%m-%dT%H:%M:%SZ', e.at / 1000, 'unixepoch') AS at_utc, e.tenant, h.employee_id,
  e.what, e.why, e.by_whom AS "by"
FROM event e LEFT JOIN hire h ON h.id = e.hire_id;

CREATE VIEW review_file AS
SELECT
  feed, file, sha256, strftime('%Y-%m-%dT%H:%M:%SZ', read_at / 1000, 'unixepoch') AS read_utc, rows,
  added, changed, withdrawn, unchanged, past, rejected, state
FROM file;

-- No manager has a proof on record yet.
CREATE VIEW review_channel AS
SELECT
  CAST('' AS TEXT) AS tenant, CAST('' AS TEXT) AS manager, CAST('' AS TEXT) AS address, CAST('' AS TEXT) AS proof,
  CAST('' AS TEXT) AS verified_utc, CAST('' AS TEXT) AS verified_by, CAST('' AS TEXT) AS revoked_utc
WHERE 1 = 0;

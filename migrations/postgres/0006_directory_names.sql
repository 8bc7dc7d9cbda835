-- User and manager as the directory has them, empty until it said (the feed's own words stay in the
-- feed's file), and the outcome `unused` while a mailed one-time pass waits: of one that can be used
-- several times nobody can know.

-- A hire's pass is the newest one that exists, existed for its recipient, or must go.
CREATE OR REPLACE VIEW review_base AS
SELECT
  h.id, h.day_from, h.day_until,
  h.tenant, h.employee_id, h.display_name,
  h.user_upn AS "user", h.manager_upn AS manager,
  h.channel,
  rtrim(h.start_date || ' ' || substr(h.start_time, 1, 5) || ' ' || h.zone) AS start_local,
  rtrim(h.start_date || ' ' || substr(least(h.send_time, h.start_time), 1, 5) || ' ' || h.zone) AS send_local,
  to_char(to_timestamp(h.start_at / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS start_utc,
  to_char(to_timestamp(h.send_at / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS send_utc,
  h.state, h.reason, h.what_to_do, h.tries,
  to_char(to_timestamp(h.look_at / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS next_try_utc,
  p.graph_id AS pass_id,
  to_char(to_timestamp(p.valid_from / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS pass_from_utc,
  to_char(to_timestamp(p.valid_until / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS pass_until_utc,
  CASE WHEN p.mailed_at IS NOT NULL THEN p.recipient END AS mailed_to,
  to_char(to_timestamp(p.mailed_at / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS mailed_utc,
  CASE WHEN p.outcome IS NULL AND p.state = 'mailed' AND p.one_time = 1 THEN 'unused' ELSE p.outcome END AS outcome,
  h.feed, h.source_file, h.source_line,
  to_char(to_timestamp(h.first_seen / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS first_seen_utc,
  to_char(to_timestamp(h.changed / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS changed_utc
FROM hire h
LEFT JOIN pass p ON p.id = (
  SELECT max(q.id) FROM pass q
  WHERE q.hire_id = h.id
    AND (q.state IN ('issued', 'mailing', 'mailed', 'condemned') OR q.mailed_at IS NOT NULL OR q.outcome IS NOT NULL));

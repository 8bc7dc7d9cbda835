#!/usr/bin/env python3
"""The plain script that the import is measured against: csv + sqlite3, the same checks, the same upsert.

peer.py ROSTER.csv STATE.db

Validates every row (id, civil day, zone, control characters, status), computes its instants (each
distinct morning once), rejects unlike twins, and upserts in one transaction, touching only what
differs. No staging, no report, no events, no history: what somebody would write in an afternoon.
"""
import csv
import datetime
import re
import sqlite3
import sys
import zoneinfo

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
ACTIVE = {"", "active", "hired", "prehire", "new"}
WITHDRAWN = {"inactive", "withdrawn", "cancelled", "noshow", "terminated"}
SCHEMA = """
CREATE TABLE IF NOT EXISTS hire (
  id INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, employee_id TEXT NOT NULL, user_ref TEXT NOT NULL,
  display_name TEXT NOT NULL, manager_ref TEXT NOT NULL, language TEXT NOT NULL, start_date TEXT NOT NULL,
  start_time TEXT NOT NULL, zone TEXT NOT NULL, feed_status TEXT NOT NULL, revision INTEGER NOT NULL DEFAULT 1,
  state TEXT NOT NULL, start_at INTEGER, send_at INTEGER, window_until INTEGER, look_at INTEGER, day_from INTEGER,
  day_until INTEGER, source_file TEXT, source_line INTEGER, first_seen INTEGER, changed INTEGER,
  UNIQUE (tenant, employee_id));
CREATE INDEX IF NOT EXISTS hire_due ON hire (look_at) WHERE look_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS hire_day ON hire (day_from);
"""
UPSERT = """
INSERT INTO hire (tenant, employee_id, user_ref, display_name, manager_ref, language, start_date, start_time, zone,
  feed_status, state, start_at, send_at, window_until, look_at, day_from, day_until, source_file, source_line,
  first_seen, changed) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
ON CONFLICT (tenant, employee_id) DO UPDATE SET user_ref = excluded.user_ref, display_name = excluded.display_name,
  manager_ref = excluded.manager_ref, language = excluded.language, start_date = excluded.start_date,
  start_time = excluded.start_time, zone = excluded.zone, feed_status = excluded.feed_status,
  revision = revision + 1, start_at = excluded.start_at, send_at = excluded.send_at,
  window_until = excluded.window_until, look_at = excluded.look_at, day_from = excluded.day_from,
  day_until = excluded.day_until, changed = excluded.changed
WHERE (user_ref, display_name, manager_ref, language, start_date, start_time, zone, feed_status) IS NOT
  (excluded.user_ref, excluded.display_name, excluded.manager_ref, excluded.language, excluded.start_date,
   excluded.start_time, excluded.zone, excluded.feed_status)
"""
MORNINGS = {}


def millis(day, time, zone):
    return int(datetime.datetime.combine(day, time, tzinfo=zone).timestamp() * 1000)


def morning(date, name, now):
    found = MORNINGS.get((date, name))
    if found is None:
        day, zone = datetime.date.fromisoformat(date), zoneinfo.ZoneInfo(name)
        midnight, next_day = datetime.time(), day + datetime.timedelta(days=1)
        start, send = millis(day, datetime.time(9), zone), millis(day, datetime.time(7), zone)
        found = (start, send, start + 8 * 3600_000, max(now, send - 96 * 3600_000),
                 millis(day, midnight, zone), millis(next_day, midnight, zone))
        MORNINGS[(date, name)] = found
    return found


def main():
    path, state = sys.argv[1], sys.argv[2]
    now = int(datetime.datetime(2027, 1, 1, tzinfo=datetime.timezone.utc).timestamp() * 1000)
    db = sqlite3.connect(state, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.executescript(SCHEMA)
    rows, rejects = {}, []
    with open(path, encoding="utf-8-sig", newline="") as file:
        for line, row in enumerate(csv.DictReader(file), start=2):
            try:
                for field, text in row.items():
                    if CONTROL.search(text):
                        raise ValueError(f"{field}: control character")
                key = row["WorkerID"].strip()
                if not key:
                    raise ValueError("WorkerID: missing")
                date = row["HireDate"].strip()
                if len(date) != 10:
                    raise ValueError("HireDate: not ISO 8601")
                instants = morning(date, row["TimeZone"].strip(), now)
                status = row["WorkerStatus"].strip().lower()
                if status not in ACTIVE and status not in WITHDRAWN:
                    raise ValueError("WorkerStatus: unknown")
                facts = ("contoso", key, row["UserPrincipalName"].strip(),
                         f'{row["FirstName"].strip()} {row["LastName"].strip()}', row["ManagerID"].strip(),
                         row["Language"].strip(), date, "09:00:00", row["TimeZone"].strip(),
                         "withdrawn" if status in WITHDRAWN else "active", "pending", *instants, path)
                if key in rows and rows[key][:10] != facts[:10]:
                    raise ValueError("WorkerID: stands twice")
                rows[key] = (*facts, line, now, now)
            except (ValueError, KeyError, zoneinfo.ZoneInfoNotFoundError) as error:
                rejects.append((line, str(error)))
    db.execute("BEGIN IMMEDIATE")
    db.executemany(UPSERT, rows.values())
    db.execute("COMMIT")
    print(f"{len(rows)} rows, {len(rejects)} rejected")


main()

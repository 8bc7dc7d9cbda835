-- How many hires stand where, for whoever asks every few seconds. Pending ones are left out: they are
-- counted by the index of what is looked at next, and a roster of new hires costs this one nothing.
PRAGMA user_version = 5;

CREATE INDEX hire_standing ON hire (state, tenant, reason, start_date, current) WHERE current = 1 AND state <> 'pending';

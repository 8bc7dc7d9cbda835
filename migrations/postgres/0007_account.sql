-- Whose pass an account has: one at a time, also when two hires name one account.
CREATE INDEX pass_account ON pass (user_id) WHERE state IN ('intended', 'issued', 'mailing', 'mailed', 'condemned');

-- A plain table of an HR system of one's own, the view of those who will start, and a login for it.
CREATE TABLE employees (
  employee_id   char(10) PRIMARY KEY,
  first_name    text NOT NULL,
  last_name     text NOT NULL,
  hire_date     date NOT NULL,
  start_time    time,
  office        text,
  country       char(2) NOT NULL,
  manager_id    char(10),
  status        text NOT NULL DEFAULT 'active'
);
INSERT INTO employees VALUES
  ('0000001', 'Mia',   'Manager',  '2012-05-01', NULL,    'Berlin',  'DE', NULL,      'active'),
  ('0000042', 'Ada',   'Lovelace', '2027-03-01', '09:00', 'Berlin',  'DE', '0000001', 'active'),
  ('0000043', 'Grace', 'Hopper',   '2027-03-01', NULL,    'Chicago', 'US', '0000001', 'active'),
  ('0000044', 'Alan',  'Turing',   '2027-03-08', NULL,    NULL,      'GB', '0000001', 'cancelled');

CREATE VIEW firstpass_starters AS
SELECT employee_id, first_name, last_name, hire_date, start_time, office, country, manager_id, status
FROM employees
WHERE hire_date >= date '2027-02-20'; -- in earnest: current_date - 14

-- CREATE ROLE firstpass LOGIN PASSWORD '…';
-- GRANT SELECT ON firstpass_starters TO firstpass;

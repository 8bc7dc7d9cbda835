-- Where a Workday "Report as a Service" (RaaS) is loaded to, as its JSON names the columns: one batch after
-- another, everything as text. Workday writes the day of hire with an offset, which does not move it.
CREATE TABLE workday_new_hires (
  batch_id                 bigint NOT NULL,
  loaded_at                timestamptz NOT NULL,
  "Employee_ID"            text NOT NULL,
  "Legal_Name_First_Name"  text,
  "Legal_Name_Last_Name"   text,
  "Hire_Date"              text,
  "Work_Location_City"     text,
  "Country_ISO_Code"       text,
  "Manager_Employee_ID"    text,
  "Hire_Status"            text
);
INSERT INTO workday_new_hires VALUES
  (41, '2027-02-24 04:00Z', '21001', 'Ada',   'Lovelace', '2027-03-15-08:00', 'Berlin',  'DE', '21000', 'Active'),
  (42, '2027-02-25 04:00Z', '21001', 'Ada',   'Lovelace', '2027-03-01-08:00', 'Berlin',  'DE', '21000', 'Active'),
  (42, '2027-02-25 04:00Z', '21002', 'Grace', 'Hopper',   '2027-03-01-08:00', 'Chicago', 'US', '21000', 'Active'),
  (42, '2027-02-25 04:00Z', '21003', 'Alan',  'Turing',   '2027-03-08-08:00', 'London',  'GB', '21000', 'Rescinded');

-- The newest batch, whole or not at all: the load must commit a batch in one transaction.
CREATE VIEW firstpass_workday AS
SELECT "Employee_ID"           AS employee_id,
       "Legal_Name_First_Name" AS first_name,
       "Legal_Name_Last_Name"  AS last_name,
       left("Hire_Date", 10)   AS hire_date,
       "Work_Location_City"    AS city,
       "Country_ISO_Code"      AS country,
       "Manager_Employee_ID"   AS manager_id,
       "Hire_Status"           AS status
FROM workday_new_hires
WHERE batch_id = (SELECT max(batch_id) FROM workday_new_hires);

-- CREATE ROLE firstpass LOGIN PASSWORD '…';
-- GRANT SELECT ON firstpass_workday TO firstpass;

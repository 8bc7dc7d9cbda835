-- Replicas of SAP SuccessFactors' entities, as integration tools write them from its OData API: dates as DATETIME
-- at midnight, lastModifiedDateTime in UTC. MySQL or MariaDB.
CREATE TABLE EmpEmployment (
  personIdExternal     VARCHAR(32) NOT NULL,
  userId               VARCHAR(100) NOT NULL,
  startDate            DATETIME NOT NULL,
  lastModifiedDateTime DATETIME(3) NOT NULL,
  PRIMARY KEY (personIdExternal, userId)
);
CREATE TABLE EmpJob (
  userId               VARCHAR(100) NOT NULL,
  startDate            DATETIME NOT NULL,
  seqNumber            BIGINT NOT NULL,
  location             VARCHAR(60),
  countryOfCompany     VARCHAR(3),
  managerId            VARCHAR(100),
  emplStatus           VARCHAR(32),
  lastModifiedDateTime DATETIME(3) NOT NULL,
  PRIMARY KEY (userId, startDate, seqNumber)
);
CREATE TABLE PerPersonal (
  personIdExternal VARCHAR(32) NOT NULL,
  startDate        DATETIME NOT NULL,
  firstName        VARCHAR(128),
  lastName         VARCHAR(128),
  PRIMARY KEY (personIdExternal, startDate)
);
INSERT INTO EmpEmployment VALUES
  ('0007001', 'alovelace', '2027-03-01 00:00:00', '2027-01-10 09:00:00.000'),
  ('0007002', 'ghopper',   '2027-03-01 00:00:00', '2027-01-11 09:00:00.000'),
  ('0007003', 'aturing',   '2027-03-08 00:00:00', '2027-01-12 09:00:00.000');
INSERT INTO EmpJob VALUES
  ('alovelace', '2027-03-01 00:00:00', 1, 'BER', 'DEU', 'mmanager', 'Active',        '2027-01-10 09:00:00.000'),
  ('ghopper',   '2027-03-01 00:00:00', 1, 'CHI', 'USA', 'mmanager', 'Active',        '2027-01-11 09:00:00.000'),
  ('aturing',   '2027-03-08 00:00:00', 1, 'LON', 'GBR', 'mmanager', 'Active',        '2027-01-12 09:00:00.000'),
  ('aturing',   '2027-03-08 00:00:00', 2, 'LON', 'GBR', 'mmanager', 'No Show',       '2027-01-20 09:00:00.000');
INSERT INTO PerPersonal VALUES
  ('0007001', '2027-03-01 00:00:00', 'Ada', 'Lovelace'),
  ('0007002', '2027-03-01 00:00:00', 'Grace', 'Hopper'),
  ('0007003', '2027-03-08 00:00:00', 'Alan', 'Turing');

-- One row for each person: of several changes on one day the last (seqNumber) counts.
CREATE VIEW firstpass_successfactors AS
SELECT e.personIdExternal AS person_id,
       CONCAT(p.firstName, ' ', p.lastName) AS full_name,
       e.startDate AS start_date,
       j.location AS location,
       j.countryOfCompany AS country,
       j.emplStatus AS status,
       GREATEST(e.lastModifiedDateTime, j.lastModifiedDateTime) AS updated_at
FROM EmpEmployment e
JOIN EmpJob j ON j.userId = e.userId AND j.startDate = e.startDate
 AND j.seqNumber = (SELECT MAX(k.seqNumber) FROM EmpJob k WHERE k.userId = j.userId AND k.startDate = j.startDate)
LEFT JOIN PerPersonal p ON p.personIdExternal = e.personIdExternal
 AND p.startDate = (SELECT MAX(q.startDate) FROM PerPersonal q WHERE q.personIdExternal = e.personIdExternal);

-- CREATE USER firstpass@'10.0.0.%' IDENTIFIED BY '…' REQUIRE SSL;
-- GRANT SELECT ON hr.firstpass_successfactors TO firstpass@'10.0.0.%';

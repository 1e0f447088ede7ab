-- Example tables, named as OpenDental's, and a little office work every second. May be run again.
CREATE DATABASE IF NOT EXISTS opendental CHARACTER SET utf8mb4;
USE opendental;

CREATE TABLE IF NOT EXISTS patient (
  PatNum bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  LName varchar(100) NOT NULL DEFAULT '',
  FName varchar(100) NOT NULL DEFAULT '',
  Birthdate date NOT NULL DEFAULT '0001-01-01',
  EstBalance double NOT NULL DEFAULT 0,
  DateTStamp timestamp NOT NULL DEFAULT current_timestamp() ON UPDATE current_timestamp()
);
CREATE TABLE IF NOT EXISTS appointment (
  AptNum bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  PatNum bigint NOT NULL,
  AptStatus tinyint NOT NULL DEFAULT 1,
  AptDateTime datetime NOT NULL,
  Note text NOT NULL,
  KEY PatNum (PatNum)
);
CREATE TABLE IF NOT EXISTS procedurelog (
  ProcNum bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  PatNum bigint NOT NULL,
  AptNum bigint NOT NULL,
  ProcDate date NOT NULL,
  ProcFee decimal(12,2) NOT NULL DEFAULT 0,
  ProcStatus tinyint unsigned NOT NULL DEFAULT 1,
  KEY PatNum (PatNum)
);

INSERT INTO patient (LName, FName, Birthdate)
  SELECT concat('Family', seq MOD 700), concat('Person', seq), date '1940-01-01' + INTERVAL seq * 9 DAY
  FROM seq_1_to_2000 WHERE NOT EXISTS (SELECT 1 FROM patient);
INSERT INTO appointment (PatNum, AptDateTime, Note)
  SELECT 1 + seq MOD 2000, timestamp '2026-01-05 08:00:00' + INTERVAL seq * 17 MINUTE, 'examination'
  FROM seq_1_to_20000 WHERE NOT EXISTS (SELECT 1 FROM appointment);
INSERT INTO procedurelog (PatNum, AptNum, ProcDate, ProcFee)
  SELECT PatNum, AptNum, date(AptDateTime), 40 + AptNum MOD 300 FROM appointment
  WHERE NOT EXISTS (SELECT 1 FROM procedurelog);

DELIMITER //
CREATE OR REPLACE EVENT office_work ON SCHEDULE EVERY 1 SECOND DO
BEGIN
  DECLARE chosen bigint DEFAULT 1 + floor(rand() * 2000);
  START TRANSACTION;
  INSERT INTO appointment (PatNum, AptDateTime, Note) VALUES (chosen, now() + INTERVAL 30 DAY, 'recall');
  INSERT INTO procedurelog (PatNum, AptNum, ProcDate, ProcFee)
    VALUES (chosen, last_insert_id(), curdate(), round(40 + rand() * 400, 2));
  UPDATE patient SET EstBalance = round(EstBalance + rand() * 100, 2) WHERE PatNum = chosen;
  DELETE FROM appointment WHERE PatNum = chosen ORDER BY AptNum LIMIT 1;
  COMMIT;
END //
DELIMITER ;

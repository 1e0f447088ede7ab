"""What an upgrade changes: the everyday tables' changes as text, the others' by type of column.

Codes are those of the schema's specification (`opendental_schema`). All of it is valid on MariaDB 10.5 and
later and on MySQL 9, under sql_mode ''. The everyday tables change only in ways that the workload survives:
what it names stays, and takes what it writes.
"""

from __future__ import annotations

from typing import Final

# One statement a line.
EVERYDAY: Final = """
ALTER TABLE patient ADD COLUMN HasSuperBilling tinyint NOT NULL DEFAULT 0
ALTER TABLE patient ADD TxtMsgOk tinyint NOT NULL AFTER PatStatus
UPDATE patient SET TxtMsgOk = 2 WHERE PatNum % 3 = 0
ALTER TABLE patient MODIFY PatStatus int NOT NULL DEFAULT 0
ALTER TABLE patient ADD SecDateEntry date NOT NULL DEFAULT '0001-01-01', ADD SecUserNumEntry bigint NOT NULL
ALTER TABLE patient ADD INDEX (Guarantor)
ALTER TABLE patient MODIFY LName varchar(255) NOT NULL DEFAULT ''
ALTER TABLE patient ADD INDEX indexLFName (LName(20), FName(20))
ALTER TABLE patient ENGINE=InnoDB
ALTER TABLE appointment MODIFY Pattern text NOT NULL
ALTER TABLE appointment ADD ClinicNum bigint NOT NULL FIRST
ALTER TABLE appointment ADD INDEX (PatNum)
ALTER TABLE appointment ADD INDEX (AptDateTime), ADD INDEX (ProvNum)
ALTER TABLE appointment ADD COLUMN ProvBarText varchar(60) NOT NULL DEFAULT 'none'
UPDATE appointment SET ClinicNum = 1 WHERE AptNum % 2 = 0
ALTER TABLE histappointment ADD SecurityHash varchar(255) NOT NULL, ADD ItemOrderPlanned int NOT NULL
ALTER TABLE histappointment ADD INDEX (AptNum)
ALTER TABLE procedurelog MODIFY DateTP datetime NOT NULL DEFAULT '0001-01-01 00:00:00'
ALTER TABLE procedurelog ADD Discount double NOT NULL, ADD INDEX (PatNum)
ALTER TABLE procedurelog MODIFY Surf varchar(255) NOT NULL DEFAULT ''
ALTER TABLE procedurelog ADD UrgencyNew time NOT NULL DEFAULT '-01:00:00' AFTER ProcTime
UPDATE procedurelog SET Discount = 12.5 WHERE ProcNum % 4 = 0
ALTER TABLE procedurecode ADD PaintText varchar(255) NOT NULL, ADD AreaAlsoToothRange tinyint NOT NULL
ALTER TABLE procedurecode CONVERT TO CHARACTER SET utf8mb4
ALTER TABLE provider ENGINE=InnoDB
ALTER TABLE provider MODIFY IsSecondary smallint NOT NULL DEFAULT 0
ALTER TABLE provider ADD DateTerm date NOT NULL DEFAULT '0001-01-01'
ALTER TABLE operatory ADD COLUMN IsWebSched tinyint NOT NULL
ALTER TABLE operatory ENGINE=InnoDB
ALTER TABLE operatory MODIFY ItemOrder int NOT NULL DEFAULT 0
ALTER TABLE clinic ADD ExternalID bigint NOT NULL, ADD SmsText text NOT NULL AFTER Phone
ALTER TABLE clinic ENGINE=InnoDB
ALTER TABLE clinic MODIFY SmsContractDate datetime NULL
ALTER TABLE schedule ADD INDEX (SchedDate), ADD INDEX (ProvNum)
ALTER TABLE schedule ADD Ops varchar(255) DEFAULT NULL
ALTER TABLE payment ADD IsCcCompleted tinyint NOT NULL DEFAULT 1
UPDATE payment SET IsCcCompleted = 0 WHERE PayNum % 5 = 0
ALTER TABLE payment ADD INDEX (PatNum)
ALTER TABLE paysplit ADD PayPlanDebitType tinyint NOT NULL, ADD SecurityHash varchar(255) NOT NULL
ALTER TABLE paysplit ADD INDEX (PatNum)
UPDATE paysplit SET SecurityHash = HEX(SplitNum)
ALTER TABLE adjustment ADD TaxTransID bigint NULL
ALTER TABLE adjustment MODIFY AdjNote mediumtext NULL
ALTER TABLE claim ADD Scratch_ int NOT NULL
ALTER TABLE claim MODIFY ClaimStatus varchar(10) NOT NULL DEFAULT ''
ALTER TABLE claim DROP COLUMN Scratch_
ALTER TABLE claim ADD SecurityHash varchar(255) NOT NULL DEFAULT ''
ALTER TABLE claimproc MODIFY Percentage smallint NOT NULL DEFAULT 0
ALTER TABLE claimproc ADD INDEX (ClaimNum), ADD INDEX (ProcNum)
ALTER TABLE claimproc ADD IsOverpay tinyint NOT NULL FIRST
ALTER TABLE claimpayment CONVERT TO CHARACTER SET utf8mb4
ALTER TABLE carrier ADD OldTIN varchar(50) NOT NULL
ALTER TABLE carrier CHANGE OldTIN TIN varchar(255) NOT NULL
UPDATE carrier SET TIN = CONCAT('99', CarrierNum)
ALTER TABLE carrier CONVERT TO CHARACTER SET utf8mb4
ALTER TABLE insplan ADD HideFromVerifyList tinyint NOT NULL, ADD INDEX (CarrierNum)
ALTER TABLE inssub MODIFY SubscriberID varchar(255) NOT NULL DEFAULT ''
ALTER TABLE patplan ADD OrthoAutoNextClaimDate date NOT NULL DEFAULT '0001-01-01'
ALTER TABLE fee ADD ClinicNum bigint NOT NULL, ADD ProvNum bigint NOT NULL
ALTER TABLE fee ADD INDEX (FeeSched, CodeNum, ClinicNum)
ALTER TABLE recall MODIFY RecallInterval bigint NOT NULL DEFAULT 0
ALTER TABLE recall MODIFY DateDue datetime NOT NULL DEFAULT '0001-01-01 00:00:00'
ALTER TABLE recall ADD Priority_ tinyint NOT NULL DEFAULT 0, ADD TimePatternOverride varchar(255) NOT NULL
ALTER TABLE commlog MODIFY Note mediumtext NOT NULL
ALTER TABLE commlog MODIFY Mode_ smallint NOT NULL DEFAULT 0
ALTER TABLE commlog ADD DateTimeEnd datetime NOT NULL DEFAULT '0001-01-01 00:00:00' AFTER CommDateTime
ALTER TABLE definition MODIFY ItemOrder int NOT NULL DEFAULT 0
ALTER TABLE definition ADD IsHidden tinyint NOT NULL DEFAULT 0
ALTER TABLE securitylog MODIFY PermType int NOT NULL DEFAULT 0
ALTER TABLE securitylog ADD DefNumError bigint NOT NULL, ADD LogSource tinyint NOT NULL
ALTER TABLE securitylog ADD INDEX (PatNum)
ALTER TABLE clockevent ADD Rate2Hours time NOT NULL DEFAULT '-01:00:00'
ALTER TABLE document ADD ProvNum bigint NOT NULL, ADD IsCropOld tinyint unsigned NOT NULL DEFAULT 255
ALTER TABLE famaging ADD PayPlanDue double NOT NULL
TRUNCATE TABLE famaging
INSERT INTO famaging (PatNum, Bal_0_30, BalTotal) SELECT PatNum, 1.5, BalTotal FROM patient WHERE PatNum < 99
UPDATE patient SET BalTotal = 1.1 WHERE PatNum IN (SELECT PatNum FROM famaging WHERE PatNum < 60)
TRUNCATE TABLE dashboardar
INSERT INTO dashboardar (DateCalc, BalTotal, InsEst) VALUES ('2025-04-01', 10.1, 1), ('2025-04-02', 11.2, 2)
ALTER TABLE preference MODIFY ValueString mediumtext NOT NULL
ALTER TABLE preference ADD INDEX (ValueString(20))
"""
# Columns that are added: the code, and the declaration.
ADDED: Final = (
    ("t", "tinyint NOT NULL"),
    ("t", "tinyint NOT NULL DEFAULT 0"),
    ("t", "tinyint NOT NULL DEFAULT -1"),
    ("u", "tinyint unsigned NOT NULL DEFAULT 200"),
    ("B", "bigint NOT NULL"),
    ("B", "bigint NOT NULL DEFAULT 0"),
    ("B", "bigint NULL"),
    ("v255", "varchar(255) NOT NULL"),
    ("v255", "varchar(255) NOT NULL DEFAULT ''"),
    ("v100", "varchar(100) NOT NULL DEFAULT 'it''s \\\\ new'"),
    ("v50", "varchar(50) DEFAULT NULL"),
    ("v50", "varchar(50) NOT NULL DEFAULT 'blank at the end '"),
    ("c1", "char(1) NOT NULL DEFAULT 'N'"),
    ("text", "text NOT NULL"),
    ("mediumtext", "mediumtext"),
    ("int", "int NOT NULL DEFAULT -16777216"),
    ("smallint", "smallint NOT NULL DEFAULT 30"),
    ("d", "double NOT NULL"),
    ("d", "double NOT NULL DEFAULT -1.5"),
    ("float", "float NOT NULL DEFAULT 0"),
    ("decimal", "decimal(12,6) NOT NULL DEFAULT 1.25"),
    ("D", "date NOT NULL DEFAULT '0001-01-01'"),
    ("D", "date NOT NULL"),
    ("DT", "datetime NOT NULL DEFAULT '0001-01-01 00:00:00'"),
    ("DT", "datetime NOT NULL DEFAULT '2025-04-01 12:30:00'"),
    ("DT", "datetime DEFAULT NULL"),
    ("time", "time NOT NULL DEFAULT '-01:00:00'"),
    ("TS", "timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP"),
)
# What an UPDATE sets a new column to.
BACKFILLS: Final = {
    "t": "1", "u": "254", "B": "9223372036854775807", "v255": "'filled'", "v100": "'Zahn'", "v50": "''",
    "c1": "'Y'", "text": "REPEAT('long ', 100)", "mediumtext": "'m'", "int": "7", "smallint": "-7",
    "d": "0.1 + 0.2", "float": "3.5", "decimal": "-2.000001", "D": "'2025-02-28'",
    "DT": "'2025-02-28 23:59:59'", "time": "'26:00:00'", "TS": "'2025-01-02 03:04:05'",
}  # fmt: skip
# What a column is changed to: the code, and the declaration. Some are narrower, and values are cut.
WIDER: Final = {
    "t": (("smallint", "smallint NOT NULL DEFAULT 0"), ("u", "tinyint unsigned NOT NULL DEFAULT 0")),
    "u": (("smallint", "smallint NOT NULL DEFAULT 0"), ("int", "int NOT NULL DEFAULT 0")),
    "smallint": (("int", "int NOT NULL DEFAULT 0"),),
    "int": (("B", "bigint NOT NULL DEFAULT 0"),),
    "float": (("d", "double NOT NULL DEFAULT 0"),),
    "D": (("DT", "datetime NOT NULL DEFAULT '0001-01-01 00:00:00'"),),
    "c1": (("v50", "varchar(50) NOT NULL DEFAULT ''"),),
    "v50": (("v255", "varchar(255) NOT NULL DEFAULT ''"), ("text", "text NOT NULL")),
    "v100": (("v255", "varchar(255) NOT NULL DEFAULT ''"), ("v50", "varchar(50) NOT NULL DEFAULT ''")),
    "v255": (("text", "text NOT NULL"), ("v4000", "varchar(4000) NOT NULL DEFAULT ''")),
    "v4000": (("text", "text NOT NULL"),),
    "text": (("mediumtext", "mediumtext NOT NULL"),),
    "mediumtext": (("longtext", "longtext NOT NULL"),),
}
INDEXABLE: Final = ("B", "int", "smallint", "t", "u", "D", "DT", "TS")
# The declaration of a column that gets another name.
DECLARED: Final = {
    "B": "bigint NOT NULL", "int": "int NOT NULL", "v255": "varchar(255) NOT NULL",
    "v100": "varchar(100) NOT NULL", "v50": "varchar(50) NOT NULL", "text": "text NOT NULL",
    "t": "tinyint NOT NULL", "d": "double NOT NULL",
}  # fmt: skip

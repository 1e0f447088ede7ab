"""The OpenDental-shaped schema: 25 everyday tables and `document`, as data, and the DDL made from it.

Holds names, types, engines, character sets and table sizes. Knows nothing of values (`opendental_rows`)
or of connections (`opendental`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

Charset = str

# table rows engine charset: columns. The first column is the bigint auto_increment key. A `?` ends the
# code of a nullable column; `vN bin` is a varchar with the character set's binary collation.
_SPECIFICATION: Final = """
patient 2000 MyISAM utf8mb4: PatNum key; LName v100, FName v100, Birthdate D, SSN v100, Guarantor B,
  PatStatus u, BalTotal d, PriProv B, SchedBeforeTime time?, DateTStamp TS
appointment 1500 MyISAM utf8mb4: AptNum key; PatNum B, AptDateTime DT, AptStatus u, Pattern v255, ProvNum B,
  ProvHyg B, Op B, Priority t, DateTStamp TS
histappointment 1500 MyISAM utf8mb4: HistApptNum key; HistDateTStamp DT, HistApptAction t, AptNum B,
  AptStatus t
procedurelog 2500 MyISAM utf8mb4: ProcNum key; PatNum B, AptNum B, ProcDate D, ProcFee d, ProcStatus u,
  CodeNum B, ToothNum v2, Surf v10, ProcTime time, DateTP D, DateComplete D, DateTStamp TS
procedurecode 400 MyISAM utf8mb3: CodeNum key; ProcCode v15 bin, Descript v255, ProcCat B, TreatArea u,
  IsHygiene u, DateTStamp TS
provider 30 MyISAM utf8mb4: ProvNum key; Abbr v255, LName v100, Specialty B, IsSecondary u, IsHidden u,
  ProvColor int, DateTStamp TS
operatory 20 MyISAM utf8mb3: OperatoryNum key; OpName v255, ItemOrder smallint, IsHygiene u, ClinicNum B
clinic 6 MyISAM utf8mb3: ClinicNum key; Description v255, Phone v255?, SmsContractDate DT, SmsMonthlyLimit d
schedule 1500 MyISAM utf8mb4: ScheduleNum key; SchedDate D, StartTime time, StopTime time, SchedType u,
  ProvNum B, DateTStamp TS
payment 1200 InnoDB utf8mb4: PayNum key; PayType B, PayDate D, PayAmt d, PatNum B, PayNote text,
  SecDateTEdit TS
paysplit 2000 InnoDB utf8mb4: SplitNum key; SplitAmt d, PatNum B, PayNum B, ProcNum B, DatePay D,
  UnearnedType B, SecDateTEdit TS
adjustment 600 InnoDB utf8mb4: AdjNum key; AdjDate D, AdjAmt d, AdjType B, PatNum B, AdjNote text?,
  SecDateTEdit TS
claim 800 InnoDB utf8mb3: ClaimNum key; PatNum B, DateService D, ClaimStatus c1, ClaimFee d, InsPayAmt d,
  ClaimType v255, SecDateTEdit TS
claimproc 1500 InnoDB utf8mb4: ClaimProcNum key; ProcNum B, ClaimNum B, Status u, InsPayAmt d, WriteOff d,
  Percentage t, DateCP D, SecDateTEdit TS
claimpayment 400 InnoDB latin1: ClaimPaymentNum key; CheckDate D, CheckAmt d, CarrierName v255,
  SecDateTEdit TS
carrier 120 MyISAM latin1: CarrierNum key; CarrierName v255, ElectID v255, SecDateTEdit TS
insplan 300 MyISAM latin1: PlanNum key; GroupName v50, GroupNum v25, PlanType c1, CarrierNum B,
  SecDateTEdit TS
inssub 900 MyISAM utf8mb4: InsSubNum key; PlanNum B, Subscriber B, SubscriberID v40, SecDateTEdit TS
patplan 900 MyISAM utf8mb4: PatPlanNum key; PatNum B, Ordinal u, InsSubNum B, SecDateTEdit TS
fee 1500 MyISAM utf8mb4: FeeNum key; Amount d, FeeSched B, CodeNum B, SecDateTEdit TS
recall 1200 MyISAM utf8mb4: RecallNum key; PatNum B, DateDue D, RecallInterval int, RecallTypeNum B,
  DateTStamp TS
commlog 1500 MyISAM utf8mb4: CommlogNum key; PatNum B, CommDateTime DT, Note text, Mode_ u, DateTStamp TS
definition 250 MyISAM utf8mb3: DefNum key; Category u, ItemOrder smallint, ItemName v255 bin, ItemColor int
securitylog 5000 MyISAM utf8mb4: SecurityLogNum key; PermType smallint, LogDateTime DT, LogText text,
  PatNum B, FKey B
clockevent 400 MyISAM utf8mb4: ClockEventNum key; EmployeeNum B, TimeEntered1 DT, OTimeHours time,
  AdjustAuto time
document 60 InnoDB utf8mb4: DocNum key; PatNum B, DateCreated DT6, FileName v255, Thumbnail mediumblob?,
  ChecksumRaw binary16, TileScale decimal, Degrees float, RawText mediumtext?, DateTStamp TS
"""

# Leftovers and runtime tables, which the default globs (temp*, tmp*, *_bak_*) leave out.
EXCLUDED_DDL: Final = {
    "tempdash1": "CREATE TABLE tempdash1 (DashNum bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, "
    "Total double NOT NULL) ENGINE=MyISAM DEFAULT CHARSET=utf8mb4",
    "tmpx": "CREATE TABLE tmpx (PatNum bigint NOT NULL, Note text) ENGINE=MyISAM DEFAULT CHARSET=utf8mb4",
    "x_bak_20240101": "CREATE TABLE x_bak_20240101 (PatNum bigint NOT NULL, LName varchar(100) NOT NULL) "
    "ENGINE=MyISAM DEFAULT CHARSET=utf8mb4",
}

_EPOCHLESS: Final = "'0001-01-01"
_TYPES: Final = {
    "B": "bigint NOT NULL DEFAULT 0",
    "u": "tinyint unsigned NOT NULL DEFAULT 0",
    "t": "tinyint NOT NULL DEFAULT 0",
    "d": "double NOT NULL DEFAULT 0",
    "D": f"date NOT NULL DEFAULT {_EPOCHLESS}'",
    "DT": f"datetime NOT NULL DEFAULT {_EPOCHLESS} 00:00:00'",
    "DT6": f"datetime(6) NOT NULL DEFAULT {_EPOCHLESS} 00:00:00'",
    "TS": "timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP",
    "int": "int NOT NULL DEFAULT 0",
    "smallint": "smallint NOT NULL DEFAULT 0",
    "float": "float NOT NULL DEFAULT 0",
    "decimal": "decimal(12,6) NOT NULL DEFAULT 0",
    "time": "time NOT NULL DEFAULT '00:00:00'",
    "text": "text NOT NULL",
    "mediumtext": "mediumtext NOT NULL",
    "longtext": "longtext NOT NULL",
    "mediumblob": "mediumblob NOT NULL",
    "binary16": "binary(16) NOT NULL",
    "key": "bigint NOT NULL AUTO_INCREMENT",
}
_TEXT_CODE: Final = re.compile(r"([vc])(\d+)( bin)?\Z")


class Engine(Enum):
    """The storage engines of the schema."""

    MYISAM = "MyISAM"
    INNODB = "InnoDB"


@dataclass(frozen=True, slots=True)
class Column:
    """A column by its code in the specification (`v100`, `TS`, ...)."""

    name: str
    code: str
    nullable: bool

    @property
    def text_length(self) -> int | None:
        """The declared length of char and varchar columns."""
        found = _TEXT_CODE.match(self.code)
        return int(found[2]) if found else None


@dataclass(frozen=True, slots=True)
class Table:
    """A table; its first column is its key. rows: how many it has at scale 1."""

    name: str
    rows: int
    engine: Engine
    charset: Charset
    columns: tuple[Column, ...]

    @property
    def key(self) -> str:
        """The name of the key column."""
        return self.columns[0].name

    def ddl(self) -> str:
        """The CREATE TABLE statement."""
        lines = [f"  `{column.name}` {_column_type(column, self.charset)}" for column in self.columns]
        lines.append(f"  PRIMARY KEY (`{self.key}`)")
        body = ",\n".join(lines)
        options = f"ENGINE={self.engine.value} DEFAULT CHARSET={self.charset}"
        return f"CREATE TABLE `{self.name}` (\n{body}\n) {options}"


def _column_type(column: Column, charset: Charset) -> str:
    text = _TEXT_CODE.match(column.code)
    if text is None:
        declared = _TYPES[column.code]
    else:
        collation = f" COLLATE {charset}_bin" if text[3] else ""
        declared = f"{'varchar' if text[1] == 'v' else 'char'}({text[2]}){collation} NOT NULL DEFAULT ''"
    return declared.partition(" NOT NULL")[0] + " NULL" if column.nullable else declared


def parse_tables(specification: str) -> tuple[Table, ...]:
    """Read tables from the form that the specification above has."""
    joined = specification.strip().replace("\n  ", " ")
    return tuple(_parse_table(line) for line in joined.splitlines())


def _parse_table(line: str) -> Table:
    head, _, body = line.partition(":")
    name, rows, engine, charset = head.split()
    columns = tuple(_parse_column(part) for part in re.split(r"[;,]", body))
    return Table(name, int(rows), Engine(engine), charset, columns)


def _parse_column(text: str) -> Column:
    name, _, code = text.strip().partition(" ")
    return Column(name, code.rstrip("?"), code.endswith("?"))


TABLES: Final = parse_tables(_SPECIFICATION)
BY_NAME: Final = {table.name: table for table in TABLES}

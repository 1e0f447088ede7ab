"""An OpenDental-shaped database as wide as a real one is: some 200 tables, about half of them empty.

    created = opendental_wide.create(connection, "opendental")

The everyday tables (`opendental_schema`) and as many others, whose columns have the types that OpenDental's
have, as often. Deterministic by seed. Few rows, but for `sheetfield`, which upgrades rebuild.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import count, islice
from typing import TYPE_CHECKING, Final

from rowferry_lab import opendental
from rowferry_lab.opendental_rows import RowMaker
from rowferry_lab.opendental_schema import Column, Engine, Table, parse_tables

if TYPE_CHECKING:
    from typing import Any

    import pymysql

    Connection = pymysql.connections.Connection[Any]
    Cursor = pymysql.cursors.Cursor

DEFAULT_SEED: Final = 20250425
_EVERYDAY_SCALE: Final = 0.2
_SEED_ROWS: Final = 500

# Names of OpenDental's tables, none of them a reserved word of MySQL or MariaDB.
_NAMES: Final = """
accountingautopay activeinstance alertcategory alertitem alertread alertsub allergy allergydef apptfield
apptfielddef apptreminderrule apptremindersent apptview apptviewitem autocode autocodecond autocodeitem
automation autonote benefit branding cdspermission cert certemployee chartview chatuser claimattach claimform
claimformitem claimsnapshot claimtracking clinicpref codegroup codesystem computer computerpref
confirmationrequest contact county custreference cvx dashboardcell dashboardlayout dbmlog deflink deposit
dictcustom discountplan discountplansub disease diseasedef displayfield displayreport dispsupply
drugmanufacturer drugunit dunning ebill eduresource eform eformfield emailattach emailautograph emailmessage
emailtemplate employee employer encounter entrylog eobattach equipment erouting eroutingaction eservicelog
eservicesignal etrans evaluation evaluationdef familyhealth feesched feeschedgroup fielddeflink formpat
grouppermission guardian hcpcs hl7def hl7msg icd10 icd9 insbluebook inseditlog insfilingcode installmentplan
insverify insverifyhist intervention journalentry labcase laboratory labpanel labresult labturnaround
letter lettermerge loginattempt loinc maparea medicalorder medication medicationpat medlab mobileappdevice
mount mountdef mountitem orthocase orthochart orthohardware patfield patfielddef patientlink patientnote
patientrace patrestriction payperiod payplan payplancharge payplanlink perioexam periomeasure pharmacy
phonenumber plannedappt popup printer procapptcolor procbutton procgroupitem procnote proctp promotion
queryfilter quickpastecat recalltrigger recalltype refattach repeatcharge rxalert rxdef rxpat sheetdef
signalod site task taskhist tasklist tasknote timeadjust toothinitial treatplan treatplanattach userclinic
usergroup vaccinedef vitalsign wikipage zipcode
"""
_SPECIFICATION: Final = """
sheetfield 60000 MyISAM utf8mb3: SheetFieldNum key; SheetNum B, FieldType int, FieldName v255,
  FieldValue text, FontSize float, FontIsBold t, XPos int, YPos int, DateTimeSig DT, ItemColor int,
  UiLabelMobile v255?
securityloghash 800 MyISAM utf8mb3: SecurityLogHashNum key; SecurityLogNum B, LogHash v255
famaging 120 MyISAM utf8mb3: PatNum key; Bal_0_30 d, Bal_31_60 d, Bal_61_90 d, BalOver90 d, InsEst d,
  BalTotal d
dashboardar 20 MyISAM utf8mb3: DashboardARNum key; DateCalc D, BalTotal d, InsEst d
statement 60 MyISAM utf8mb4: StatementNum key; PatNum B, DateSent D, Note text, Mode_ u, IsSent t,
  DateTStamp TS
wikilist_insurers 12 InnoDB utf8mb4: insurersNum key; Name_ v255, Hours text?, Level_ int
"""
# Its key is not the first column.
_PREFERENCE_DDL: Final = (
    "CREATE TABLE `preference` (`PrefName` varchar(255) NOT NULL DEFAULT '', `ValueString` text NOT NULL, "
    "`PrefNum` bigint NOT NULL AUTO_INCREMENT, `Comments` text, PRIMARY KEY (`PrefNum`), "
    "KEY `PrefName` (`PrefName`(50))) ENGINE=MyISAM DEFAULT CHARSET=utf8mb3"
)
PREFERENCE_ROWS: Final = 200
_CODES: Final = {
    "B": 900, "v255": 700, "v100": 250, "v50": 130, "v4000": 50, "t": 490, "u": 250, "text": 274, "int": 238,
    "DT": 217, "D": 158, "d": 134, "TS": 69, "smallint": 50, "float": 34, "time": 27, "mediumtext": 22,
    "c1": 12, "longtext": 5, "mediumblob": 2,
}  # fmt: skip
COLUMN_NAMES: Final = {
    "B": ("PatNum", "ProvNum", "ClinicNum", "UserNum", "ProcNum", "AptNum", "SheetDefNum", "DefNum", "FKey",
          "ItemNum", "SecUserNumEntry"),
    "v255": ("Description", "Title", "Abbr_", "FileNameFull", "Address", "EmailSubject", "Category_"),
    "v100": ("InternalName", "City", "ContactName", "Value_"),
    "v50": ("CodeValue", "PhoneNumber", "Zip"),
    "v4000": ("Instructions", "MessageShort"),
    "t": ("ItemStatus", "Type_", "Priority_", "IsActive", "IsDefault", "SigState"),
    "u": ("IsOpen", "Mode_", "ActionType", "Flag_"),
    "text": ("NoteText", "Body_", "Remarks", "PatInstruct"),
    "int": ("ItemOrderNum", "ColorFore", "Width_", "Height_", "DaysPast"),
    "DT": ("DateTimeEntry", "DateTimeSent", "SecDateTEntry", "DateTimeLast"),
    "D": ("DateStart", "DateStop", "DateEntry", "DateExpires"),
    "d": ("Amount_", "FeeAmt", "InsEstimate", "Quantity"),
    "TS": ("SecDateTEdit", "DateTStamp"),
    "smallint": ("ToothOrder", "IntervalDays"),
    "float": ("FontSize", "Angle"),
    "time": ("TimeStart", "TimeStop"),
    "mediumtext": ("RawBase64", "XmlText"),
    "c1": ("Letter_",),
    "longtext": ("MarkupText",),
    "mediumblob": ("RawImage",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wide:
    """What was made. rows: by table, without the tables that default globs exclude."""

    rows: dict[str, int]

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that are to be copied."""
        return tuple(self.rows)

    @property
    def empty(self) -> tuple[str, ...]:
        """Those of them that have no row."""
        return tuple(name for name, count in self.rows.items() if not count)


def other_tables(seed: int = DEFAULT_SEED) -> tuple[Table, ...]:
    """The tables beside the everyday ones; `preference`, whose key is not its first column, is not one."""
    rng = random.Random(seed)
    return (*parse_tables(_SPECIFICATION), *(_table(rng, name) for name in _NAMES.split()))


def create(connection: Connection, database: str, *, seed: int = DEFAULT_SEED) -> Wide:
    """Create the database (if it is missing) and its tables (which must not exist), and fill them.

    The connection stays in that database, in autocommit, with sql_mode '' and time zone UTC.
    """
    everyday = opendental.create(connection, database, rows_scale=_EVERYDAY_SCALE, seed=seed)
    maker = RowMaker(random.Random(seed), rows_scale=_EVERYDAY_SCALE)
    rows = dict(everyday.rows)
    with connection.cursor() as cursor:
        for table in other_tables(seed):
            rows[table.name] = opendental.create_table(cursor, table, maker, min(table.rows, _SEED_ROWS))
            _multiply(cursor, table, rows)
        cursor.execute(_PREFERENCE_DDL)
        values = [(f"Preference{n}", str(n * n % 97)) for n in range(PREFERENCE_ROWS)]
        cursor.executemany("INSERT INTO preference (PrefName, ValueString) VALUES (%s, %s)", values)
    return Wide(rows | {"preference": PREFERENCE_ROWS})


def _table(rng: random.Random, name: str) -> Table:
    empty = rng.random() < 0.55
    engine = rng.choices((Engine.MYISAM, Engine.INNODB), (85, 15))[0]
    charset = rng.choices(("utf8mb3", "utf8mb4", "latin1"), (50, 40, 10))[0]
    codes = rng.choices(tuple(_CODES), tuple(_CODES.values()), k=rng.randint(3, 16))
    columns = [Column(f"{name.capitalize()}Num", "key", nullable=False)]
    used: set[str] = set()
    for code in codes:
        chosen = _column_name(rng, code, used)
        used.add(chosen)
        columns.append(Column(chosen, code, nullable=code != "TS" and rng.random() < 0.15))
    return Table(name, 0 if empty else rng.randint(3, 60), engine, charset, tuple(columns))


def _column_name(rng: random.Random, code: str, used: set[str]) -> str:
    chosen = rng.choice(COLUMN_NAMES[code])
    others = (f"{chosen.rstrip('_')}{number}" for number in count(2))
    return next(name for name in (chosen, *islice(others, len(used))) if name not in used)


def _multiply(cursor: Cursor, table: Table, rows: dict[str, int]) -> None:
    """Copy the rows of a large table under further keys until it has as many as it is to have."""
    key = table.key
    names = ", ".join(f"`{column.name}`" for column in table.columns[1:])
    while (missing := table.rows - rows[table.name]) > 0:
        have = rows[table.name]
        rows[table.name] += cursor.execute(
            f"INSERT INTO `{table.name}` (`{key}`, {names}) SELECT `{key}` + {have}, {names} "
            f"FROM `{table.name}` WHERE `{key}` <= {missing} ORDER BY `{key}`"
        )

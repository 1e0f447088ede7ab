"""What an office does to its database all day: the operations of the workload, each with its weight.

An operation is a function of a `Session`; it leaves no transaction open. `OPERATIONS` holds the data
changes, `DDL_OPERATIONS` the schema changes that are off by default.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rowferry_lab.opendental_rows import NO_OVERRIDE, TEXTS, UNSET_DATE, ZERO_DATE
from rowferry_lab.opendental_schema import BY_NAME
from rowferry_lab.workload_session import Session

Operation = Callable[[Session], None]

_MAX_ADDED_COLUMNS: Final = 10


def new_appointment(office: Session) -> None:
    """A visit is booked: three MyISAM statements, each its own group in the binlog."""
    patient = office.pick("patient")
    appointment = office.insert("appointment", PatNum=patient, AptStatus=1)
    office.insert("histappointment", AptNum=appointment)
    office.insert("securitylog", PatNum=patient, FKey=appointment)


def appointment_status(office: Session) -> None:
    """A visit is completed, broken or moved."""
    key = office.pick("appointment")
    office.update(
        "appointment", key, AptStatus=office.rng.choice((2, 3, 5)), AptDateTime=office.maker.datetime()
    )


def payment_with_splits(office: Session) -> None:
    """A payment and its splits in one transaction; some are cancelled."""
    with office.transaction(commit=office.rng.random() > 0.15):
        patient, amount = office.pick("patient"), office.maker.money()
        payment = office.insert("payment", PatNum=patient, PayAmt=amount)
        for _ in range(office.rng.randint(1, 4)):
            office.insert("paysplit", PayNum=payment, PatNum=patient, SplitAmt=amount / 3)


def payment_corrected(office: Session) -> None:
    """Part of a transaction is undone by a savepoint, the rest stays."""
    with office.transaction(commit=office.rng.random() > 0.2):
        office.update("payment", office.pick("payment"), PayAmt=office.maker.money())
        office.execute("SAVEPOINT before_splits")
        office.insert("paysplit", SplitAmt=-1.0)
        office.delete("paysplit", office.pick("paysplit"))
        office.execute("ROLLBACK TO SAVEPOINT before_splits")
        office.update("paysplit", office.pick("paysplit"), SplitAmt=office.maker.money())


def claim_sent(office: Session) -> None:
    """A claim with its procedures, over two tables."""
    with office.transaction():
        claim = office.insert("claim", ClaimStatus="S", PatNum=office.pick("patient"))
        for _ in range(office.rng.randint(1, 3)):
            office.insert("claimproc", ClaimNum=claim, ProcNum=office.pick("procedurelog"), Percentage=-1)


def claim_paid(office: Session) -> None:
    """A cheque arrives: three tables in one transaction."""
    with office.transaction():
        office.insert("claimpayment", CheckAmt=office.maker.money())
        office.update("claim", office.pick("claim"), ClaimStatus="R", InsPayAmt=office.maker.money())
        for _ in range(3):
            office.update("claimproc", office.pick("claimproc"), Status=1, WriteOff=0.1 + 0.2)


def procedures_completed(office: Session) -> None:
    """One statement that updates many rows."""
    first = office.pick("procedurelog")
    office.execute(
        "UPDATE procedurelog SET ProcStatus = 2, DateComplete = %s, ProcTime = %s "
        "WHERE ProcNum BETWEEN %s AND %s",
        (office.maker.day(), office.maker.time(), first, first + 30),
    )


def balances_aged(office: Session) -> None:
    """The balance of a range of patients."""
    first = office.pick("patient")
    office.execute(
        "UPDATE patient SET BalTotal = BalTotal * 1.1 + 0.1 WHERE ABS(BalTotal) < 1e9 "
        "AND PatNum BETWEEN %s AND %s",
        (first, first + 250),
    )


def rows_deleted(office: Session) -> None:
    """Single rows go, from either engine."""
    for table in ("recall", "commlog", "adjustment"):
        office.delete(table, office.pick(table))
    office.insert("recall")
    office.insert("commlog")
    office.insert("adjustment")


def inserted_and_deleted(office: Session) -> None:
    """A row that lives only inside its transaction, and one that is deleted and comes back."""
    with office.transaction():
        office.delete("adjustment", office.insert("adjustment"))
        kept = office.insert("adjustment")
        office.delete("adjustment", kept)
        office.insert("adjustment", AdjNum=kept, AdjAmt=office.maker.money())


def key_changed(office: Session) -> None:
    """A row gets another primary key, in an InnoDB and in a MyISAM table."""
    for table in ("adjustment", "fee"):
        old, new = office.pick(table), -office.rng.randrange(1, 2**62)
        office.update(table, old, **{BY_NAME[table].key: new})
        office.forget(table, old)
        office.remember(table, new)


def keys_swapped(office: Session) -> None:
    """Two rows exchange their keys in one transaction."""
    first, second, spare = office.pick("claimpayment"), office.pick("claimpayment"), -(2**62)
    if first != second:
        with office.transaction():
            for old, new in ((first, spare), (second, first), (spare, second)):
                office.update("claimpayment", old, ClaimPaymentNum=new)


def log_written(office: Session) -> None:
    """Many rows by one INSERT."""
    office.insert_many("securitylog", office.rng.randint(20, 60))


def log_purged(office: Session) -> None:
    """A few hundred of the oldest rows go, and about as many come."""
    count = office.rng.randint(200, 400)
    office.execute(f"DELETE FROM histappointment ORDER BY HistApptNum LIMIT {count}")
    office.insert_many("histappointment", count)
    office.refresh_keys("histappointment")


def dates_zeroed(office: Session) -> None:
    """Zero and unset dates in place of real ones, and back."""
    date = office.rng.choice((ZERO_DATE, UNSET_DATE, "2011-00-00", office.maker.day()))
    office.update("patient", office.pick("patient"), Birthdate=date)
    office.update("recall", office.pick("recall"), DateDue=date)
    office.update("appointment", office.pick("appointment"), AptDateTime=f"{date} 00:00:00")
    office.update("claim", office.pick("claim"), SecDateTEdit=office.maker.timestamp())


def text_edited(office: Session) -> None:
    """Notes with every kind of character, in every character set; a name changes its case only."""
    office.update("commlog", office.pick("commlog"), Note=office.rng.choice(TEXTS["utf8mb4"]), Mode_=255)
    office.update("carrier", office.pick("carrier"), CarrierName=office.rng.choice(TEXTS["latin1"]))
    office.update("definition", office.pick("definition"), ItemName=office.rng.choice(TEXTS["utf8mb3"]))
    office.execute("UPDATE patient SET LName = UPPER(LName) WHERE PatNum = %s", (office.pick("patient"),))
    office.update("adjustment", office.pick("adjustment"), AdjNote=office.rng.choice((None, "", " ")))


def clocked_in(office: Session) -> None:
    """TIME values that are negative or beyond a day."""
    office.insert("clockevent", OTimeHours=NO_OVERRIDE)
    adjusted, overtime = office.maker.time(), office.maker.time()
    office.update("clockevent", office.pick("clockevent"), AdjustAuto=adjusted, OTimeHours=overtime)


def document_scanned(office: Session) -> None:
    """Binary values, exact decimals and microseconds."""
    key = office.insert("document", RawText="x" * office.rng.choice((10, 5000)))
    office.update("document", key, Thumbnail=office.rng.randbytes(office.rng.choice((0, 900, 70_000))))
    if office.rng.random() < 0.7:
        office.delete("document", office.pick("document"))


def rows_replaced(office: Session) -> None:
    """REPLACE and INSERT ... ON DUPLICATE KEY UPDATE on rows that exist."""
    office.execute(
        "REPLACE INTO patplan (PatPlanNum, PatNum, Ordinal, InsSubNum) VALUES (%s, %s, 1, 2)",
        (office.pick("patplan"), office.pick("patient")),
    )
    office.execute(
        "INSERT INTO fee (FeeNum, Amount, FeeSched, CodeNum) VALUES (%s, %s, 1, 1) "
        "ON DUPLICATE KEY UPDATE Amount = Amount + 1",
        (office.pick("fee"), office.maker.money()),
    )


def engines_mixed(office: Session) -> None:
    """A MyISAM change inside a transaction: it is real even when that is rolled back."""
    if office.mixes_engines:
        with office.transaction(commit=office.rng.random() < 0.5):
            office.insert("paysplit", SplitAmt=5.0)
            office.update("patient", office.pick("patient"), BalTotal=office.maker.money())
            office.update("payment", office.pick("payment"), PayNote=office.rng.choice(TEXTS["utf8mb4"]))


def column_added(office: Session) -> None:
    """A column with a default, which fills old rows without any row event; older ones are dropped."""
    name = f"Extra{office.rng.randrange(10**6)}"
    office.execute(f"ALTER TABLE clinic ADD COLUMN {name} int NOT NULL DEFAULT 7 AFTER Description")
    office.update("clinic", office.pick("clinic"), **{name: -1})
    office.added_columns.append(name)
    if len(office.added_columns) > _MAX_ADDED_COLUMNS:
        office.execute(f"ALTER TABLE clinic DROP COLUMN {office.added_columns.pop(0)}")


def column_widened(office: Session) -> None:
    """A varchar grows."""
    length = 256 + office.rng.randrange(1000)
    office.execute(f"ALTER TABLE operatory MODIFY OpName varchar({length}) NOT NULL DEFAULT ''")


def table_truncated(office: Session) -> None:
    """TRUNCATE and refill, as the nightly jobs do."""
    office.execute("TRUNCATE TABLE recall")
    office.insert_many("recall", 300)
    office.refresh_keys("recall")


def runtime_table(office: Session) -> None:
    """A table that comes, is used and goes, outside what is captured."""
    name = f"tempdash{office.rng.randrange(10**6)}"
    office.execute(f"CREATE TABLE {name} (DashNum bigint NOT NULL AUTO_INCREMENT PRIMARY KEY) ENGINE=MyISAM")
    office.execute(f"INSERT INTO {name} VALUES (1), (2)")
    office.execute(f"DROP TABLE {name}")


OPERATIONS: Final[dict[Operation, int]] = {
    new_appointment: 12,
    appointment_status: 14,
    payment_with_splits: 12,
    payment_corrected: 5,
    claim_sent: 6,
    claim_paid: 6,
    procedures_completed: 6,
    balances_aged: 3,
    rows_deleted: 6,
    inserted_and_deleted: 3,
    key_changed: 3,
    keys_swapped: 3,
    log_written: 5,
    log_purged: 1,
    dates_zeroed: 5,
    text_edited: 8,
    clocked_in: 4,
    document_scanned: 3,
    rows_replaced: 4,
    engines_mixed: 3,
}
DDL_OPERATIONS: Final[dict[Operation, int]] = {
    column_added: 1,
    column_widened: 1,
    table_truncated: 1,
    runtime_table: 2,
}

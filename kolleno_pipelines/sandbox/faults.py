"""The list of all faulty cases, at least one for each code, and a harmless few for a demo. No case is built here."""

from __future__ import annotations

from datetime import date

from kolleno_pipelines.sandbox import faulty_files, faulty_rows, faulty_states
from kolleno_pipelines.sandbox.fault_kit import DROP_FOLDER, ExpectedFinding, FaultCase, FaultFile, Kit

__all__ = ["DEFAULT_FIRST_DAY", "DROP_FOLDER", "ExpectedFinding", "FaultCase", "FaultFile", "cases", "showcase"]

DEFAULT_FIRST_DAY = date(2026, 2, 1)


def cases(first_day: date = DEFAULT_FIRST_DAY) -> tuple[FaultCase, ...]:
    """Return at least one case for each code; case n lies on the n-th day from `first_day`.

    Ingest each case by itself: a failed file leaves its batch open for the next file of its type (design 8).
    """
    makers = (*faulty_files.MAKERS, *faulty_rows.MAKERS, *faulty_states.MAKERS)
    return tuple(make(Kit(number, first_day)) for number, make in enumerate(makers))


def showcase(first_day: date) -> tuple[FaultCase, ...]:
    """Return cases of which nothing ever loads, the failed file last: for a demo beside a company's own files.

    Its batches begin on `first_day`; choose one after the company's last day, since a failed file leaves its batch
    open for the next file of its type.
    """
    makers = (
        faulty_files.unknown_type,
        faulty_files.not_csv,
        faulty_rows.bad_decimal,
        faulty_rows.null_token,
        faulty_states.unknown_customer,
        faulty_files.missing_columns,
    )
    return tuple(make(Kit(number, first_day, alone=True)) for number, make in enumerate(makers))

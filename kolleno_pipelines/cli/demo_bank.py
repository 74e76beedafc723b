"""The demo's bank: its files, what must become of payouts in them, the line left out. It compares nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from kolleno_pipelines.cli.demo_company import Dropped
from kolleno_pipelines.sandbox.bank import filling
from kolleno_pipelines.sandbox.bank.account import stated_until
from kolleno_pipelines.sandbox.bank.outcomes import BankOutcome, told_rightly
from kolleno_pipelines.sandbox.stripe.filling import Filling

FOLDER = "statements"


def left_out(dropped: Dropped, account: Filling) -> str:
    """Return the payout whose line the bank does not have; nothing where no error is planted.

    The account is that of after the company's last batch.
    """
    return filling.one_to_leave_out(account) if dropped.planted is not None else ""


def write_files(dropped: Dropped, account: Filling, root: Path) -> None:
    """Put the bank's files that are missing under the server's root, with the bank's times.

    They tell what had reached the bank at the company's last batch.
    """
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for file in filling.filled_from(account, leave_out=left_out(dropped, account)):
        path = folder / file.name
        if not path.exists():
            part = path.with_name(f"{path.name}.part")
            part.write_bytes(file.data)
            os.utime(part, (file.modified.timestamp(),) * 2)
            part.replace(path)


def bank_answers(account: Filling, missing: str, written: datetime, now: datetime) -> Mapping[str, BankOutcome]:
    """Return what must become of each payout at the bank, as the account is now and the files were when written."""
    stated = stated_until(written)
    return told_rightly(account.ledger, now, stated, currencies=list(filling.FORMS), left_out=missing)

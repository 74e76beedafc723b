"""How the customers of a mirror are found in its ledger: a setting of connections. What is compared is not here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CustomerField = Literal["name", "ref", "source_id"]


@dataclass(frozen=True)
class AgreementMapping:
    """By which field a customer of the ledger and of a mirror are known to be one; `ledger` names it among several.

    Names are compared without regard to case and to blanks around and between words.
    """

    customer_in_ledger: CustomerField = "name"
    customer_in_mirror: CustomerField = "name"
    ledger: str | None = None

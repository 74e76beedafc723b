"""What the platform writes on the payments that it takes: six keys of metadata, and the surcharge. No charges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

LONGEST_VALUE = 500


@dataclass(frozen=True)
class PlatformPayment:
    """A payment as the platform knows it.

    payment: its id there, which the ERP's payment carries as its reference. customer: the platform's own id;
    customer_source_id, invoice_source_ids and invoice_refs are the ERP's. surcharge: taken beside the invoices, major
    units; Stripe has no field for it.
    """

    payment: str
    customer: str
    customer_source_id: str
    invoice_source_ids: tuple[str, ...] = ()
    invoice_refs: tuple[str, ...] = ()
    surcharge: Decimal = Decimal(0)

    @property
    def metadata(self) -> Mapping[str, str]:
        """The metadata of the charge; a list that is too long for Stripe is cut, wherever that is."""
        told = {
            "created_by": "Kolleno",
            "payment_charge": self.payment,
            "customer": self.customer,
            "customer_source_id": self.customer_source_id,
            "invoices_source_id": _joined(self.invoice_source_ids),
            "invoices_refs": _joined(self.invoice_refs),
            "surcharge": f"{self.surcharge:f}" if self.surcharge else "",
        }
        return {name: value for name, value in told.items() if value}


def _joined(values: Iterable[str]) -> str:
    return ",".join(values)[:LONGEST_VALUE]

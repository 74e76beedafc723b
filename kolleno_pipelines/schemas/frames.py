"""pandera models of the seven typed CSV frames: what must hold of every accepted row. No parsing, no reasons.

The cell parsers of the SFTP connector give the reasons; a violation found here is a defect of theirs, so it raises.
Importing this module loads pandas and pandera (about a second): import it inside functions.
"""

from __future__ import annotations

from typing import Annotated, Any

import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa

from kolleno_pipelines.schemas.sftp_tables import TableName

Line = Annotated[pd.ArrowDtype, pa.int32()]
Text = Annotated[pd.ArrowDtype, pa.string()]
Amount = Annotated[pd.ArrowDtype, pa.decimal128(20, 6)]
Day = Annotated[pd.ArrowDtype, pa.date32()]
Flag = Annotated[pd.ArrowDtype, pa.bool_()]


def _required(**checks: Any) -> Any:
    return pandera.Field(nullable=False, **checks)


def _optional(**checks: Any) -> Any:
    return pandera.Field(nullable=True, **checks)


class _Row(pandera.DataFrameModel):
    """What every row carries: its physical line, its extra columns and the cells that count as absent."""

    line: Line = _required(ge=2)
    extra: Text = _optional()
    absent: Text = _optional()

    class Config:
        """No column more or less; types are the parsers' duty."""

        strict = True
        coerce = False


class _Record(_Row):
    """A row that is a record of its own."""

    source_id: Text = _required()


class Customers(_Record):
    """Accepted rows of customers."""

    name: Text = _required()
    ref: Text = _optional()
    currency_iso: Text = _optional()
    address_line_1: Text = _optional()
    address_line_2: Text = _optional()
    postal_code: Text = _optional()
    city: Text = _optional()
    state: Text = _optional()
    country_iso: Text = _optional()
    credit_limit_amount: Amount = _optional(ge=0)
    parent_id: Text = _optional()
    balance_stated: Amount = _optional()


class Contacts(_Record):
    """Accepted rows of contacts."""

    customer_id: Text = _required()
    first_name: Text = _optional()
    last_name: Text = _optional()
    email: Text = _optional()
    phone: Text = _optional()
    mobile: Text = _optional()
    position: Text = _optional()
    is_primary: Flag = _optional()
    is_active: Flag = _optional()


class _Document(_Record):
    """What invoices and credit notes share."""

    customer_id: Text = _required()
    ref: Text = _required()
    amount: Amount = _required(ge=0)
    balance: Amount = _required(ge=0)
    currency_iso: Text = _required()
    date_issued: Day = _required()
    status: Text = _optional()
    description: Text = _optional()


class Invoices(_Document):
    """Accepted rows of invoices."""

    date_due: Day = _optional()
    date_paid: Day = _optional()
    po_number: Text = _optional()
    amount_net: Amount = _optional()
    amount_tax: Amount = _optional()


class CreditNotes(_Document):
    """Accepted rows of credit_notes."""


class Payments(_Record):
    """Accepted rows of payments."""

    customer_id: Text = _required()
    ref: Text = _optional()
    amount: Amount = _required(ge=0)
    balance: Amount = _optional(ge=0)
    currency_iso: Text = _required()
    date_paid: Day = _required()
    method: Text = _optional()
    status: Text = _optional()


class _Link(_Record):
    """What both link tables share; `source_id` is the link's own id, else the escaped pair."""

    invoice_id: Text = _required()
    amount: Amount = _required(ge=0)
    link_id: Text = _optional()
    date_applied: Day = _optional()


class PaymentsInvoices(_Link):
    """Accepted rows of payments_invoices."""

    payment_id: Text = _required()


class CreditNotesInvoices(_Link):
    """Accepted rows of credit_notes_invoices."""

    credit_note_id: Text = _required()


MODELS: dict[TableName, type[pandera.DataFrameModel]] = {
    TableName.CUSTOMERS: Customers,
    TableName.CONTACTS: Contacts,
    TableName.INVOICES: Invoices,
    TableName.CREDIT_NOTES: CreditNotes,
    TableName.PAYMENTS: Payments,
    TableName.PAYMENTS_INVOICES: PaymentsInvoices,
    TableName.CREDIT_NOTES_INVOICES: CreditNotesInvoices,
}


def validate(table: TableName, rows: pa.RecordBatch) -> None:
    """Raise pandera's SchemaErrors, all at once, when an accepted row breaks the model of its table."""
    frame = rows.to_pandas(types_mapper=pd.ArrowDtype)
    MODELS[table].validate(frame, lazy=True)

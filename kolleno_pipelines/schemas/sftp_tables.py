"""The seven CSV tables as data: columns, requirement levels, parsers, references, provenance. No parsing, no SQL.

Provenance: `seen` columns are stated in Kolleno's help centre (11647004, 15434035); `inferred` ones are our reading of
neighbouring articles and comparable products. A correction, once the true layout is known, is a change of this file.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property


class Requirement(StrEnum):
    """The three levels of article 11647004."""

    REQUIRED = "Required"  # header and a value in every row
    VALUE_OPTIONAL = "Optional (value)"  # header needed; an empty cell clears the stored value
    FIELD_OPTIONAL = "Optional (value and field)"  # absent leaves the stored value; present and empty clears it


class Provenance(StrEnum):
    """Whether a column was read in the source's documentation or deduced."""

    SEEN = "seen"
    INFERRED = "inferred"


class Kind(StrEnum):
    """One parser per kind; each rejected cell gets that parser's reason."""

    ID = "id"  # text, identity; leading zeros stay
    TEXT = "text"  # descriptive text
    NAME = "name"  # descriptive text where the word Null is a surname, not a token
    DECIMAL = "decimal"  # -?\d{1,14}(\.\d{1,6})?
    DATE = "date"  # YYYY-MM-DD
    BOOLEAN = "boolean"
    CURRENCY = "currency"  # ISO 4217
    COUNTRY = "country"  # ISO 3166 alpha-2, descriptive
    EMAIL = "email"  # descriptive
    STATUS = "status"  # the source's word, mapped to the three statuses by schemas/statuses.py


class TableName(StrEnum):
    """The seven types, in the order in which they depend on each other (15445456)."""

    CUSTOMERS = "customers"
    CONTACTS = "contacts"
    INVOICES = "invoices"
    CREDIT_NOTES = "credit_notes"
    PAYMENTS = "payments"
    PAYMENTS_INVOICES = "payments_invoices"
    CREDIT_NOTES_INVOICES = "credit_notes_invoices"


_MAX_LENGTH = {Kind.ID: 255, Kind.CURRENCY: 3, Kind.DATE: 10, Kind.DECIMAL: 22, Kind.BOOLEAN: 5, Kind.STATUS: 64}


@dataclass(frozen=True)
class Column:
    """One column of a CSV table; `name` is the header, `field` the column of our tables (`source_id` for `id`)."""

    name: str
    requirement: Requirement
    kind: Kind
    provenance: Provenance
    basis: str
    aliases: tuple[str, ...] = ()
    field_name: str | None = None
    non_negative: bool = False

    @property
    def field(self) -> str:
        """The column's name in `sftp_csv.<table>` and in typed frames."""
        return self.field_name or self.name

    @property
    def required(self) -> bool:
        """Whether every row needs a value."""
        return self.requirement is Requirement.REQUIRED

    @property
    def header_required(self) -> bool:
        """Whether the header must be there (levels 1 and 2)."""
        return self.requirement is not Requirement.FIELD_OPTIONAL

    @property
    def descriptive(self) -> bool:
        """Whether a bad cell is ignored with a warning instead of rejecting the row."""
        return not self.required and self.kind in {Kind.TEXT, Kind.NAME, Kind.COUNTRY, Kind.EMAIL, Kind.STATUS}

    @property
    def max_length(self) -> int:
        """Longest cell in characters: short for identity, money and dates, 10,000 for descriptive text."""
        return _MAX_LENGTH.get(self.kind, 10_000)


@dataclass(frozen=True)
class Reference:
    """A column that names a record of another table; a row whose parent is unknown is parked with `code`."""

    field: str
    table: TableName
    code: str


@dataclass(frozen=True)
class CsvTable:
    """One of the seven tables. `source_id` of a link row is its `id`, else `payment_id|invoice_id` (escaped)."""

    name: TableName
    columns: tuple[Column, ...]
    references: tuple[Reference, ...] = ()
    link_fields: tuple[str, str] | None = None
    money_fields: tuple[str, ...] = ()

    @cached_property
    def by_header(self) -> dict[str, Column]:
        """Header text (aliases included) to column."""
        return {header: column for column in self.columns for header in (column.name, *column.aliases)}

    @cached_property
    def required_headers(self) -> tuple[str, ...]:
        """Names of the columns whose header must be there."""
        return tuple(column.name for column in self.columns if column.header_required)

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """Our names of all columns, `source_id` first for record tables."""
        return tuple(column.field for column in self.columns)

    @property
    def is_link(self) -> bool:
        """Whether rows join two documents."""
        return self.link_fields is not None


_R, _V, _F = Requirement.REQUIRED, Requirement.VALUE_OPTIONAL, Requirement.FIELD_OPTIONAL
_S, _I = Provenance.SEEN, Provenance.INFERRED
_ID_BASIS = "11647004: unique within its file type"

_CUSTOMER_ID = Column("customer_id", _R, Kind.ID, _S, "11647004, 15434035: id of the customers file")
_TO_CUSTOMER = Reference("customer_id", TableName.CUSTOMERS, "unknown_customer")
_TO_INVOICE = Reference("invoice_id", TableName.INVOICES, "unknown_invoice")


def _identity(provenance: Provenance, basis: str) -> Column:
    return Column("id", _R, Kind.ID, provenance, basis, field_name="source_id")


def _document(provenance: Provenance, basis: str) -> tuple[Column, ...]:
    """Columns that invoices and credit notes share: the required list of article 15434035."""
    return (
        _identity(provenance, basis),
        _CUSTOMER_ID,
        Column("ref", _R, Kind.ID, provenance, basis),
        Column("amount", _R, Kind.DECIMAL, provenance, f"{basis}; gross total", non_negative=True),
        Column("balance", _R, Kind.DECIMAL, provenance, f"{basis}; still open", non_negative=True),
        Column("currency_iso", _R, Kind.CURRENCY, provenance, basis),
        Column("date_issued", _R, Kind.DATE, provenance, basis),
    )


def _link(document: str) -> tuple[Column, ...]:
    return (
        Column(f"{document}_id", _R, Kind.ID, _I, f"-> {document}s.id"),
        Column("invoice_id", _R, Kind.ID, _I, "-> invoices.id"),
        Column("amount", _R, Kind.DECIMAL, _I, "part applied, in the invoice's currency; 0 ends it", non_negative=True),
        Column("id", _F, Kind.ID, _I, "link id; else the pair is the key", field_name="link_id"),
        Column("date_applied", _F, Kind.DATE, _I, "when the part was applied"),
    )


CUSTOMERS = CsvTable(
    TableName.CUSTOMERS,
    (
        _identity(_S, _ID_BASIS),
        Column("name", _R, Kind.NAME, _S, "11647004"),
        Column("ref", _V, Kind.TEXT, _S, "11647004: shown on the platform"),
        Column("currency_iso", _V, Kind.CURRENCY, _S, "11647004"),
        Column("address_line_1", _V, Kind.NAME, _S, "11647004"),
        Column("address_line_2", _V, Kind.NAME, _S, "11647004"),
        Column("postal_code", _V, Kind.TEXT, _S, "11647004"),
        Column("city", _V, Kind.NAME, _S, "11647004"),
        Column("state", _V, Kind.TEXT, _S, "11647004"),
        Column("country_iso", _V, Kind.COUNTRY, _S, "11647004"),
        Column("credit_limit_amount", _F, Kind.DECIMAL, _S, "11647004", non_negative=True),
        Column("parent_id", _F, Kind.ID, _I, "12829552: customer groups; parents may come later, never parks"),
        Column("balance_stated", _F, Kind.DECIMAL, _I, "model 4: only where the connection says balance_stated"),
    ),
    money_fields=("credit_limit_amount",),
)

CONTACTS = CsvTable(
    TableName.CONTACTS,
    (
        _identity(_S, _ID_BASIS),
        _CUSTOMER_ID,
        Column("first_name", _V, Kind.NAME, _I, "12258061, 8937779"),
        Column("last_name", _V, Kind.NAME, _I, "12258061"),
        Column("email", _V, Kind.EMAIL, _I, "12258061, 11809047", aliases=("email_address",)),
        Column("phone", _V, Kind.TEXT, _I, "12258061", aliases=("phone_number",)),
        Column("mobile", _F, Kind.TEXT, _I, "12258061: a phone type of its own"),
        Column("position", _F, Kind.TEXT, _I, "11809047: empty removes it"),
        Column("is_primary", _F, Kind.BOOLEAN, _I, "12019433"),
        Column("is_active", _F, Kind.BOOLEAN, _I, "6367089"),
    ),
    references=(_TO_CUSTOMER,),
)

INVOICES = CsvTable(
    TableName.INVOICES,
    (
        *_document(_S, "15434035"),
        Column("date_due", _V, Kind.DATE, _I, "15166720", aliases=("due_date",)),
        Column("status", _F, Kind.STATUS, _I, "15166720, 7903720; derived from the balance when absent"),
        Column("date_paid", _F, Kind.DATE, _I, "our reading"),
        Column("po_number", _F, Kind.TEXT, _I, "comparable products"),
        Column("description", _F, Kind.NAME, _I, "our reading"),
        Column("amount_net", _F, Kind.DECIMAL, _I, "our reading"),
        Column("amount_tax", _F, Kind.DECIMAL, _I, "our reading"),
    ),
    references=(_TO_CUSTOMER,),
    money_fields=("amount", "balance"),
)

CREDIT_NOTES = CsvTable(
    TableName.CREDIT_NOTES,
    (
        *_document(_I, "15434035 list read for credit notes too"),
        Column("status", _F, Kind.STATUS, _I, "vendor blog: REFUNDED exists"),
        Column("description", _F, Kind.NAME, _I, "our reading"),
    ),
    references=(_TO_CUSTOMER,),
    money_fields=("amount", "balance"),
)

PAYMENTS = CsvTable(
    TableName.PAYMENTS,
    (
        _identity(_I, "unique among payments"),
        _CUSTOMER_ID,
        Column("ref", _V, Kind.TEXT, _I, "bank or receipt reference"),
        Column("amount", _R, Kind.DECIMAL, _I, "received", non_negative=True),
        Column(
            "balance", _V, Kind.DECIMAL, _I, "12158803: not yet applied; blank: amount less links", non_negative=True
        ),
        Column("currency_iso", _R, Kind.CURRENCY, _I, "our reading"),
        Column("date_paid", _R, Kind.DATE, _I, "our reading", aliases=("date", "payment_date", "date_issued")),
        Column("method", _F, Kind.TEXT, _I, "comparable products"),
        Column("status", _F, Kind.STATUS, _I, "our reading: void and deleted payments exist"),
    ),
    references=(_TO_CUSTOMER,),
    money_fields=("amount", "balance"),
)

PAYMENTS_INVOICES = CsvTable(
    TableName.PAYMENTS_INVOICES,
    _link("payment"),
    references=(Reference("payment_id", TableName.PAYMENTS, "unknown_payment"), _TO_INVOICE),
    link_fields=("payment_id", "invoice_id"),
    money_fields=("amount",),
)

CREDIT_NOTES_INVOICES = CsvTable(
    TableName.CREDIT_NOTES_INVOICES,
    _link("credit_note"),
    references=(Reference("credit_note_id", TableName.CREDIT_NOTES, "unknown_credit_note"), _TO_INVOICE),
    link_fields=("credit_note_id", "invoice_id"),
    money_fields=("amount",),
)

TABLES: dict[TableName, CsvTable] = {
    table.name: table
    for table in (CUSTOMERS, CONTACTS, INVOICES, CREDIT_NOTES, PAYMENTS, PAYMENTS_INVOICES, CREDIT_NOTES_INVOICES)
}

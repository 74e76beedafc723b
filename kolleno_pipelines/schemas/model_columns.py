"""Columns of the `receivables` tables and of the results, with type and meaning, for people who look at the graph.

The tables themselves are made by the migrations; a test holds both against each other. No SQL.
"""

from typing import NamedTuple


class ModelColumn(NamedTuple):
    """One column: PostgreSQL's type, meaning in a few words."""

    name: str
    type: str
    meaning: str


Columns = tuple[ModelColumn, ...]


def columns_of(text: str) -> Columns:
    """Read lines of `name type meaning`."""
    return tuple(ModelColumn(*line.split(maxsplit=2)) for line in text.strip().splitlines())


LEDGER: Columns = columns_of("""
id integer number of the received content
connection text configured account that it came from
name text file name as sent
type text one of the seven types; empty for names that are not taken
name_time timestamptz time in the name, UTC
fix integer number of a fix file, else 0
receipt integer counts the contents received under one name
sha256 text checksum; names the bytes in the archive
size bigint bytes
partition_day date the earlier of the day in the name and the day it was first taken
status text held, ignored, taken, waiting, loaded, processed, processed_with_rejects, failed, replaced or skipped
message text what is wrong, in one sentence
rows_read bigint rows in the file
rows_accepted bigint rows that were taken
rows_rejected bigint rows kept aside with their reasons
run_id text run that took it
""")

_KEY = columns_of("""
connection text configured account that the record comes from
source_id text the record's id in its source; with connection the key
""")
_FIRST_SEEN = columns_of("""
first_seen_at timestamptz version (time in the file's name) of the first input that told of the record
""")
_TRACE = columns_of("""
observed_at timestamptz version (time in the file's name) of the input in which the record last changed
extra jsonb columns that the contract does not name, as sent
origin text file and line of the newest input
loaded_at timestamptz when the row was written
""")
_CUSTOMER = columns_of("""
customer_connection text connection of the customer
customer_source_id text the customer's id there
""")
_DOCUMENT = columns_of("""
kind text kind of document
ref text number shown to people
customer_connection text connection of the customer
customer_source_id text the customer's id there
posting_status text draft, pending_approval, posted, voided or deleted: only posted counts
collection_status text disputed, instalments, bad_debt, payment_pending, payment_scheduled or none: an overlay
status_stated text the source's own word
amount numeric total as stated, positive in the document's own sense
balance numeric what the source states is open
balance_source text stated, derived or unknown: a derived balance proves nothing
currency_iso text ISO 4217
date_issued date date of the document
date_due date date due
date_paid date date paid, as stated
settlement text open, partially_paid, paid or overpaid: derived from amount and balance
balance_open numeric what counts: the balance when posted, else 0
exchange_rate numeric home units for one unit of the document's currency
amount_home numeric total in the home currency, as stated
balance_home numeric balance in the home currency, as stated
receivable_account_source_id text account on which it is kept
deleted_at timestamptz version in which the source deleted it
""")

ENTITIES: dict[str, Columns] = {
    "customers": _KEY
    + columns_of("""
ref text number shown to people
name text name
currency_iso text currency of the account
address_line_1 text address
address_line_2 text address
postal_code text address
city text address
state text address
country_iso text ISO 3166
credit_limit_amount numeric credit limit
parent_source_id text parent customer as stated
group_source_id text ultimate parent, derived
balance_stated numeric what the source says this customer owes, where it says so
balance_currency_iso text its currency
email text e-mail address
phone text telephone
terms text terms of payment
is_active boolean in use at the source; empty where it does not say
""")
    + _TRACE,
    "contacts": _KEY
    + columns_of("""
first_name text first name
last_name text last name
email text e-mail address
phone text telephone
mobile text mobile telephone
""")
    + _TRACE,
    "contact_links": _KEY
    + columns_of("contact_source_id text the contact")
    + _CUSTOMER
    + columns_of("""
position text position
is_primary boolean first contact of the customer
is_active boolean in use
""")
    + tuple(c for c in _TRACE if c.name != "extra"),
    "invoices": _KEY
    + _DOCUMENT
    + columns_of("""
po_number text purchase order of the customer
description text description
amount_net numeric amount without tax
amount_tax numeric tax
""")
    + _FIRST_SEEN
    + _TRACE,
    "credit_notes": _KEY + _DOCUMENT + columns_of("description text description") + _FIRST_SEEN + _TRACE,
    "payments": _KEY
    + _DOCUMENT
    + columns_of("""
method text way of payment
psp_reference text charge of the payment provider that it names
batch_source_id text batch in which it was received with others
deposit_source_id text deposit that it is part of
""")
    + _FIRST_SEEN
    + _TRACE,
    "allocations": _KEY
    + columns_of("""
owner_kind text kind of the document whose set this allocation belongs to
owner_source_id text that document
from_kind text where the money or credit comes from
from_source_id text that document
to_kind text what it settles
to_source_id text that document
amount numeric part applied, in the currency of what it settles
date_applied date when it was applied, as stated
ordinal integer place in its document's list
amount_from numeric the part in the currency it comes from, where that differs
is_inferred boolean the source states the sum, not this part
beyond_cap boolean past the fifteenth of its payment
removed_at timestamptz version in which it ended; empty while it lives
""")
    + _FIRST_SEEN
    + _TRACE,
}

_SIDES = columns_of("""
customer_source_id text customer
currency_iso text currency
""")
_BREAK = columns_of("""
break_id text stable id: hash of kind, connection and both sides
connection text connection
""")

RESULTS: dict[str, Columns] = {
    "balances": _BREAK
    + columns_of("""
kind text kind of document
source_id text document
customer_source_id text customer
currency_iso text currency
amount numeric stated amount
allocated numeric what the allocations come to
balance numeric stated balance
difference numeric amount - allocated - balance
is_opening boolean its cause is opening: it may come from before the first file, and is what it was at first sight
cause text probable cause
since timestamptz version of the input in which the difference arose
evidence jsonb what the cause was read from
"""),
    "control_totals": columns_of("""
connection text connection
currency_iso text currency
customers bigint customers with an open item
invoices_open bigint open invoices
invoices_balance numeric open on invoices
credit_notes_balance numeric open on credit notes
payments_balance numeric unapplied on payments
journals_balance numeric journals, signed
net numeric invoices - credit notes - payments + journals
stated numeric what the source itself says is owed; empty where it says nothing
difference numeric computed - stated
"""),
    "ageing": columns_of("""
day date the day
connection text connection
currency_iso text currency
bucket text days past due; unapplied is negative
documents bigint open invoices in the bucket
amount numeric open amount
"""),
    "roll_forward": columns_of("""
day date the day
connection text connection
currency_iso text currency
opening numeric closing of the day before
invoices numeric + invoices
credit_notes numeric - credit notes
receipts numeric - receipts
refunds numeric + refunds paid out
journals numeric +/- journals
write_offs numeric - write-offs and discounts
unexplained numeric - what no allocation explains
closing numeric what is open at the end of the day
dated_ahead numeric part of today's closing that comes from later dates
"""),
    "unapplied_cash": columns_of("""
connection text connection
kind text payment, overpayment, prepayment, credit_note or journal
source_id text document
ref text number shown to people
customer_source_id text customer
currency_iso text currency
date_issued date date of the document
amount numeric amount
balance numeric what is left to apply
age_days integer days since its date
bucket text age
"""),
    "agreement": columns_of("""
connection text the ledger
mirror text what is compared with it
customer_source_id text the customer in the ledger; empty where it has none
mirror_customer_source_id text the customer in the mirror; empty where it has none
currency_iso text currency
balance numeric owed by the ledger
mirror_balance numeric owed by the mirror
difference numeric balance - mirror_balance
expected numeric part of it that the two systems imply
"""),
    "differences": _BREAK
    + columns_of("""
kind text which fact does not hold
left_kind text kind of the first side
left_source_id text first side
right_kind text kind of the second side
right_source_id text second side
""")
    + _SIDES
    + columns_of("""
amount numeric how much
cause text probable cause
since timestamptz version of the input in which it arose
evidence jsonb what the cause was read from
status text open, accepted, resolved or reopened
accepted_by text who accepted it
why text why
until date last day of the acceptance
accepted_amount numeric amount when accepted
accepted_at timestamptz when accepted
resolved_on date day on which it was gone
"""),
}

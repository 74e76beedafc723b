"""Columns of the results about payment providers, with type and meaning, for people who look at the graph. No SQL."""

from kolleno_pipelines.schemas.model_columns import Columns, columns_of

PROVIDER_RESULTS: dict[str, Columns] = {
    "charges": columns_of("""
connection text connection of the provider
source_id text the charge
ledger text connection of the ledger in which its payments are looked for
outcome text the first that applies, in the order of docs/payouts.md
resolver text own or charge_id: by what its payments were found
customer_source_id text customer of the ledger that it names
currency_iso text currency
amount numeric money that was taken
surcharge_amount numeric part of it that the ledger does not show
payments bigint payments found
paid numeric what they come to
difference numeric amount - surcharge_amount - paid; empty where nothing is compared
refunded numeric refunds whose money is gone
disputed numeric disputes that are not won
failed numeric what failed after it had succeeded
applied numeric what of the payments is applied; where money went back
payment_source_ids jsonb the payments
created_at timestamptz when it was made
since timestamptz version of the newest input that it was judged by
break_id text its break, where it asks for somebody
evidence text why, in a sentence
"""),
    "payouts": columns_of("""
connection text connection of the provider
source_id text the payout
ledger text connection of the ledger that its items are compared with
outcome text the first that applies to it or a leg, in the order of docs/payouts.md
items_outcome text the payout with its items
ledger_outcome text the items with the ledger's payments
status text the provider's word
currency_iso text currency
amount numeric what was paid out; below 0 taken from the bank
items bigint items in its list
items_net numeric what they come to
difference numeric amount - items_net
exceptions bigint what keeps it from being reconciled, rows of payout_exceptions
fallbacks bigint items whose payments were found by the charge's id
date_arrival date day of arrival at the bank
created_at timestamptz when it was made
bank_outcome text the payout with its line at the bank; not_compared where no bank is read that could have it
bank_resolver text trace_id or descriptor: by what the line was found
bank_connection text connection of the bank
bank_line_source_id text the line
bank_amount numeric what it says
bank_currency_iso text its currency
bank_day date day on which it was booked
"""),
    "balance_proofs": columns_of("""
break_id text stable id: hash of kind, connection and both sides
connection text connection of the provider
source_id text the balance snapshot; empty for the days before the first
currency_iso text currency
outcome text tied, differs, no_snapshot or moved_during_read
taken_at timestamptz when the balance was asked for
available numeric available, by the provider's word
pending numeric pending, by the provider's word
rows bigint rows of the balance until then
computed numeric what they come to
difference numeric computed - (available + pending)
change numeric what the difference grew by since the snapshot before
is_break boolean whether it asks for somebody
since timestamptz when the balance was asked for
"""),
}

"""Every code a finding may carry, its level and what a sender or operator should do; no logic that raises them."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """What a finding does to its file or row."""

    NOTICE = "notice"  # the file is ignored or held, and said so
    FAILED = "failed"  # the file fails, nothing of it loads
    REJECTED = "rejected"  # the row is kept aside with its reason
    PARKED = "parked"  # the row waits for its parent
    WARNING = "warning"  # the row loads
    FINDING = "finding"  # recomputed from state, never a rejection


class Code(StrEnum):
    """The closed list of codes; the text is what reports, exports and tests show."""

    UNEXPECTED_NAME = "unexpected_name"
    WRONG_FOLDER = "wrong_folder"
    NOT_CSV = "not_csv"
    DUPLICATE_CONTENT = "duplicate_content"
    DATED_IN_FUTURE = "dated_in_future"
    BEFORE_START = "before_start"

    EMPTY_FILE = "empty_file"
    MISSING_COLUMNS = "missing_columns"
    BAD_HEADER = "bad_header"
    UNDECODABLE = "undecodable"
    BAD_DELIMITER = "bad_delimiter"
    UNCLOSED_QUOTE = "unclosed_quote"
    NULL_BYTE = "null_byte"
    TOO_LARGE = "too_large"

    RAGGED_ROW = "ragged_row"
    REQUIRED_VALUE_EMPTY = "required_value_empty"
    NULL_TOKEN = "null_token"  # noqa: S105 - a code, not a password
    BAD_DECIMAL = "bad_decimal"
    BAD_DATE = "bad_date"
    BAD_BOOLEAN = "bad_boolean"
    BAD_CURRENCY = "bad_currency"
    VALUE_TOO_LONG = "value_too_long"
    DUPLICATE_ID = "duplicate_id"
    NEGATIVE_AMOUNT = "negative_amount"

    UNKNOWN_CUSTOMER = "unknown_customer"
    UNKNOWN_INVOICE = "unknown_invoice"
    UNKNOWN_CREDIT_NOTE = "unknown_credit_note"
    UNKNOWN_PAYMENT = "unknown_payment"

    BAD_COUNTRY = "bad_country"
    BAD_EMAIL = "bad_email"
    VALUE_IGNORED = "value_ignored"
    MORE_DECIMALS_THAN_CURRENCY = "more_decimals_than_currency"
    BALANCE_ABOVE_AMOUNT = "balance_above_amount"
    DUE_BEFORE_ISSUED = "due_before_issued"
    SUPERSEDED = "superseded"
    NEWER_PARKED = "newer_parked"

    OVER_ALLOCATED = "over_allocated"
    CURRENCY_MISMATCH = "currency_mismatch"
    CUSTOMER_MISMATCH = "customer_mismatch"
    BALANCE_ALLOCATION_MISMATCH = "balance_allocation_mismatch"
    CLOSED_WITH_BALANCE = "closed_with_balance"
    HIERARCHY_CYCLE = "hierarchy_cycle"


@dataclass(frozen=True)
class CodeText:
    """One code's level, its meaning and the next step, in words for people."""

    level: Level
    meaning: str
    next_step: str


_RESEND = "Correct the file and upload it again (the same name replaces it, a newer name follows it)."
_FIX_ROW = "Correct the row and send it in the next batch, or in a `<type>_<origin time>.fix1.csv`."
_PARENT = "Send the parent record, or correct the id; the row then loads by itself."
_LOOK = "Nothing is lost; correct the source if the value matters to you."
_STATE = "Compare the documents named with the source; accept the difference if it is explained."

_TEXTS: dict[Level, dict[Code, tuple[str, str]]] = {
    Level.NOTICE: {
        Code.UNEXPECTED_NAME: (
            "the name is not <type>_YYYY-MM-DDTHH:MM:SS.csv of one of the seven types",
            "Rename the file and upload it again.",
        ),
        Code.WRONG_FOLDER: ("a CSV of ours lies outside the drop folder", "Upload it to the drop folder."),
        Code.NOT_CSV: ("the file is not a .csv", "Export as CSV (UTF-8, comma) and upload that."),
        Code.DUPLICATE_CONTENT: ("the same name with the same content was already taken", "Nothing to do."),
        Code.DATED_IN_FUTURE: (
            "the time in the name is more than 14 hours ahead; the file is held until then",
            "Check the sender's clock and time zone, or wait.",
        ),
        Code.BEFORE_START: (
            "the time in the name lies before the first day of this pipeline",
            "Set KOLLENO_FIRST_DAY earlier if the file should be read.",
        ),
    },
    Level.FAILED: {
        Code.EMPTY_FILE: ("the file has no header row", "Send at least the header row."),
        Code.MISSING_COLUMNS: ("required columns are missing from the header", _RESEND),
        Code.BAD_HEADER: ("a column name is blank, doubled, or has upper case or spaces", _RESEND),
        Code.UNDECODABLE: ("the file is not UTF-8", "Export as UTF-8 and upload it again."),
        Code.BAD_DELIMITER: ("the columns are not separated by commas", "Export with commas and upload it again."),
        Code.UNCLOSED_QUOTE: ("a quoted value never ends, or only in a row below", _RESEND),
        Code.NULL_BYTE: ("the file holds a NUL byte", _RESEND),
        Code.TOO_LARGE: ("the file is larger than this connection takes", "Split it, or raise max_file_bytes."),
    },
    Level.REJECTED: {
        Code.RAGGED_ROW: ("the row has more or fewer cells than the header", _FIX_ROW),
        Code.REQUIRED_VALUE_EMPTY: ("a required cell is empty", _FIX_ROW),
        Code.NULL_TOKEN: ("the cell says NULL, None or NaN instead of being empty", _FIX_ROW),
        Code.BAD_DECIMAL: ("not a decimal number such as 1234.50", _FIX_ROW),
        Code.BAD_DATE: ("not a date YYYY-MM-DD", _FIX_ROW),
        Code.BAD_BOOLEAN: ("not true or false", _FIX_ROW),
        Code.BAD_CURRENCY: ("not a three-letter ISO 4217 code", _FIX_ROW),
        Code.VALUE_TOO_LONG: ("the cell is longer than the column allows", _FIX_ROW),
        Code.DUPLICATE_ID: ("several different rows of the file have this id; none is taken", _FIX_ROW),
        Code.NEGATIVE_AMOUNT: ("amounts are positive in the document's own sense", _FIX_ROW),
    },
    Level.PARKED: {
        Code.UNKNOWN_CUSTOMER: ("the customer is not known yet", _PARENT),
        Code.UNKNOWN_INVOICE: ("the invoice is not known yet", _PARENT),
        Code.UNKNOWN_CREDIT_NOTE: ("the credit note is not known yet", _PARENT),
        Code.UNKNOWN_PAYMENT: ("the payment is not known yet", _PARENT),
    },
    Level.WARNING: {
        Code.BAD_COUNTRY: ("not a two-letter ISO 3166 code; the cell counts as absent", _LOOK),
        Code.BAD_EMAIL: ("not an e-mail address; the cell counts as absent", _LOOK),
        Code.VALUE_IGNORED: ("the descriptive cell cannot be used; it counts as absent", _LOOK),
        Code.MORE_DECIMALS_THAN_CURRENCY: ("more decimals than the currency has", _LOOK),
        Code.BALANCE_ABOVE_AMOUNT: ("the balance is above the amount", _LOOK),
        Code.DUE_BEFORE_ISSUED: ("the due date lies before the date of issue", _LOOK),
        Code.SUPERSEDED: ("a newer file already says otherwise about this record", "Nothing to do."),
        Code.NEWER_PARKED: ("a newer row about this record is parked", _PARENT),
    },
    Level.FINDING: {
        Code.OVER_ALLOCATED: ("more is allocated than the document's amount", _STATE),
        Code.CURRENCY_MISMATCH: ("an allocation joins documents of two currencies", _STATE),
        Code.CUSTOMER_MISMATCH: ("an allocation joins customers outside one group", _STATE),
        Code.BALANCE_ALLOCATION_MISMATCH: ("amount less allocations is not the stated balance", _STATE),
        Code.CLOSED_WITH_BALANCE: ("the source calls the document closed, yet states a balance", _STATE),
        Code.HIERARCHY_CYCLE: ("customers are each other's parents", _STATE),
    },
}

CODE_TEXTS: dict[Code, CodeText] = {
    code: CodeText(level, meaning, next_step)
    for level, texts in _TEXTS.items()
    for code, (meaning, next_step) in texts.items()
}


def level_of(code: Code) -> Level:
    """Return the level of a code (design 9: one code has one level)."""
    return CODE_TEXTS[code].level

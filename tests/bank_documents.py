"""Documents of a bank as texts, for tests of what they say: an entry, a statement, a file. No assertions.

The sandbox's bank writes whole months; here a test says the one thing that it is about.
"""

from __future__ import annotations

from collections.abc import Sequence

IBAN = "GB00ACME00000000000001"
#: kind -> message, element of an account
_MESSAGES = {
    "camt.053": ("BkToCstmrStmt", "Stmt"),
    "camt.052": ("BkToCstmrAcctRpt", "Rpt"),
    "camt.054": ("BkToCstmrDbtCdtNtfctn", "Ntfctn"),
}


def entry(
    amount: str = "96.80",
    *,
    ref: str | None = "B-1",
    day: str = "2026-02-05",
    currency: str = "USD",
    status: str = "<Sts><Cd>BOOK</Cd></Sts>",
    details: str = "",
    more: str = "",
) -> str:
    """An entry; a debit where the amount begins with a minus. `details`: the inside of NtryDtls."""
    direction, size = ("DBIT", amount[1:]) if amount.startswith("-") else ("CRDT", amount)
    own = f"<AcctSvcrRef>{ref}</AcctSvcrRef>" if ref else ""
    inside = f"<NtryDtls>{details}</NtryDtls>" if details else ""
    booked = f"<BookgDt><Dt>{day}</Dt></BookgDt>" if day else ""
    return (
        f'<Ntry><Amt Ccy="{currency}">{size}</Amt><CdtDbtInd>{direction}</CdtDbtInd>{status}{booked}{own}{inside}{more}'
        "</Ntry>"
    )


def transaction(
    text: str = "STRIPE PAYOUT",
    *,
    trace: str | None = None,
    payer: str | None = None,
    amount: str | None = None,
    currency: str = "USD",
    more: str = "",
) -> str:
    """A transaction of an entry: its references, amount, other side and text."""
    refs = f"<Refs><EndToEndId>{trace}</EndToEndId></Refs>" if trace else ""
    own = f'<Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd>' if amount else ""
    parties = f"<RltdPties><Dbtr><Pty><Nm>{payer}</Nm></Pty></Dbtr></RltdPties>" if payer else ""
    return f"<TxDtls>{refs}{own}{more}{parties}<RmtInf><Ustrd>{text}</Ustrd></RmtInf></TxDtls>"


def balance(code: str, amount: str, day: str = "2026-02-05", currency: str = "USD") -> str:
    direction, size = ("DBIT", amount[1:]) if amount.startswith("-") else ("CRDT", amount)
    return (
        f'<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy="{currency}">{size}</Amt>'
        f"<CdtDbtInd>{direction}</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>"
    )


def document(
    entries: Sequence[str] = (),
    balances: Sequence[str] = (),
    *,
    message: str = "camt.053",
    ref: str = "S-1",
    created: str = "2026-02-06T05:00:00+00:00",
    days: tuple[str, str] | None = ("2026-02-05T00:00:00", "2026-02-05T23:59:59"),
    currency: str | None = "USD",
    account: str = IBAN,
    more: str = "",
) -> bytes:
    """A file of one statement."""
    name, piece = _MESSAGES[message]
    period = f"<FrToDt><FrDtTm>{days[0]}</FrDtTm><ToDtTm>{days[1]}</ToDtTm></FrToDt>" if days else ""
    ccy = f"<Ccy>{currency}</Ccy>" if currency else ""
    head = f"<GrpHdr><MsgId>M-{ref}</MsgId><CreDtTm>{created}</CreDtTm></GrpHdr>" if created else ""
    inside = f"<Id>{ref}</Id>{more}{period}<Acct><Id><IBAN>{account}</IBAN></Id>{ccy}</Acct>"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="urn:iso:std:iso:20022:tech:xsd:{message}.001.08">'
        f"<{name}>{head}\n<{piece}>{inside}{''.join(balances)}\n{chr(10).join(entries)}</{piece}></{name}></Document>\n"
    ).encode()

"""What payloads of Stripe become, with figures worked out by hand."""

from __future__ import annotations

import json
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest

from kolleno_pipelines.connectors.payload_blocks import normalise_block, payload_blocks
from kolleno_pipelines.connectors.stripe.connector import STRIPE
from kolleno_pipelines.connectors.stripe.secrets import without_secrets
from kolleno_pipelines.schemas.records import Normalised

CREATED = 1_770_025_800
Json = dict[str, Any]


def said(extract: str, *payloads: Json) -> list[Normalised]:
    """What payloads say, block by block, as the pipeline has it."""
    lines = b"".join(json.dumps(one).encode() + b"\n" for one in payloads)
    one = STRIPE.extract(extract)
    found = []
    for table, unreadable in payload_blocks(BytesIO(lines), one.schema, forms=one.forms):
        found.append(normalise_block(STRIPE.normalise, extract, table))
        found[-1].quarantined += unreadable
    return found


def rows(extract: str, entity: str, *payloads: Json) -> list[Json]:
    blocks = said(extract, *payloads)
    assert [one for block in blocks for one in block.quarantined] == []
    made = [row for block in blocks for row in block.rows[entity].to_pylist()]
    return sorted(made, key=lambda row: int(row["line"]))


def charge(amount: int, currency: str = "usd", **more: Any) -> Json:
    plain = {"id": "ch_1", "created": CREATED, "amount": amount, "currency": currency, "status": "succeeded"}
    return {**plain, "metadata": {}, **more}


def row(amount: int, fee: int, net: int, currency: str = "usd", **more: Any) -> Json:
    plain = {"id": "txn_1", "created": CREATED, "amount": amount, "fee": fee, "net": net, "currency": currency}
    return {**plain, "type": "charge", "fee_details": [], "source": "ch_1", **more}


@pytest.mark.parametrize(
    ("minor", "currency", "major"),
    [
        (2_040_000, "usd", "20400.00"),
        (500, "jpy", "500"),
        (5_124, "kwd", "5.124"),
        (12_300, "isk", "123"),
        (500_000, "ugx", "5000"),
        (100_050, "huf", "1000.50"),
        (100_050, "twd", "1000.50"),
        *(
            (500, currency, "500")
            for currency in ["bif", "clp", "djf", "gnf", "kmf", "krw", "mga", "pyg", "rwf", "vuv", "xaf", "xof", "xpf"]
        ),
        *((5_120, currency, "5.12") for currency in ["bhd", "jod", "omr", "tnd"]),
        (123_456_789_012, "eur", "1234567890.12"),
        (123_456_789_012, "vnd", "123456789012"),
    ],
)
def test_amounts_by_the_vendors_own_table(minor: int, currency: str, major: str) -> None:
    (made,) = rows("charges", "charges", charge(minor, currency))
    assert (made["amount"], made["currency_iso"]) == (Decimal(major), currency.upper())


@pytest.mark.parametrize("currency", ["isk", "ugx"])
def test_decimals_that_must_be_00_are_quarantined_alone(currency: str) -> None:
    (block,) = said("charges", charge(12_345, currency), charge(12_300, currency, id="ch_2"))
    assert [(one.line, one.source_id) for one in block.quarantined] == [(1, "ch_1")]
    assert "not divided" in block.quarantined[0].reason
    assert block.rows["charges"]["source_id"].to_pylist() == ["ch_2"]
    (block,) = said("charges", charge(12_300, currency, amount_captured=12_300, amount_refunded=150))
    assert "amount_refunded has parts" in block.quarantined[0].reason
    item = {**row(12_300, 50, 12_250, currency), "source": None}
    (block,) = said("payout_members", {"id": "po_1|txn_1", "payout": "po_1", "item": item})
    assert "item.fee has parts" in block.quarantined[0].reason


def test_payouts_of_currencies_that_are_only_paid_out_whole_have_their_decimals() -> None:
    """HUF and TWD are paid out in whole units, and stated in two decimals as all their amounts."""
    for currency in ("huf", "twd"):
        payload = charge(1_000_000, currency, id="po_1", automatic=True, arrival_date=CREATED, status="paid")
        (made,) = rows("payouts", "payouts", payload)
        assert made["amount"] == Decimal(10_000)


@pytest.mark.parametrize(
    ("gross", "fee", "net"),
    [
        *((2_040_000, 59_190, 1_980_810), (117_524, 3_438, 114_086), (7_239_375, 209_972, 7_029_403)),
        *((255_360, 7_435, 247_925), (438_750, 12_754, 425_996), (19_350, 591, 18_759)),
        *((3_519_960, 137_308, 3_382_652), (7_499_999, 217_530, 7_282_469), (-400, 0, -400), (100, 0, 100)),
    ],
)
def test_rows_of_the_balance(gross: int, fee: int, net: int) -> None:
    detail = {"amount": fee, "currency": "usd", "type": "stripe_fee", "description": "Processing"}
    payload = row(gross, fee, net, fee_details=[detail, {**detail, "amount": 0, "type": "tax"}])
    (made,) = rows("balance_transactions", "balance_transactions", payload)
    assert made["amount"] - made["fee"] == made["net"] == Decimal(net).scaleb(-2)
    details = rows("balance_transactions", "fee_details", payload)
    assert [(one["source_id"], one["ordinal"], one["type"]) for one in details] == [
        ("txn_1:1", 1, "stripe_fee"),
        ("txn_1:2", 2, "tax"),
    ]
    assert sum(one["amount"] for one in details) == made["fee"]


def test_two_currencies_stay_two() -> None:
    source = {"id": "ch_1", "object": "charge", "amount": 1_000, "currency": "eur"}
    (made,) = rows(
        "balance_transactions", "balance_transactions", row(1_234, 66, 1_168, exchange_rate=1.234, source=source)
    )
    assert (made["charge_amount"], made["charge_currency_iso"]) == (Decimal("10.00"), "EUR")
    assert (made["net"], made["exchange_rate"]) == (Decimal("11.68"), Decimal("1.234"))


def test_sources_expanded_and_bare_in_one_file() -> None:
    refund = {"id": "re_1", "object": "refund", "amount": 500, "currency": "usd", "charge": "ch_7"}
    payloads = [
        row(1_000, 59, 941, source="py_1"),
        row(-500, 0, -500, id="txn_2", source=refund),
        row(-900, 0, -900, id="txn_3", source="po_1", type="payout"),
        row(-5, 0, -5, id="txn_4", source=None, type="stripe_fee"),
        row(7, 0, 7, id="txn_5", source="unheard_1", type="adjustment"),
    ]
    made = rows("balance_transactions", "balance_transactions", *payloads)
    assert [(one["source_kind"], one["source_object_id"], one["charge_source_id"]) for one in made] == [
        ("charge", "py_1", "py_1"),
        ("refund", "re_1", "ch_7"),
        ("payout", "po_1", None),
        (None, None, None),
        (None, "unheard_1", None),
    ]


def test_words_that_nobody_knows_are_kept() -> None:
    payload = row(-123, 0, -123, type="network_cost", reporting_category="something_new")
    (made,) = rows("balance_transactions", "balance_transactions", payload)
    assert (made["type"], made["reporting_category"]) == ("network_cost", "something_new")


def test_a_charge_of_the_platform_and_its_surcharge() -> None:
    metadata = {
        "created_by": "Kolleno",
        "payment_charge": "PAY-1",
        "customer_source_id": "C-1",
        "invoices_source_id": "1, 2",
        "invoices_refs": "INV-1,INV-2",
        "surcharge": "2.75",
    }
    (made,) = rows("charges", "charges", charge(10_275, metadata=metadata))
    assert made["amount"] - made["surcharge_amount"] == Decimal(100)
    assert (made["is_own"], made["own_reference"], made["customer_source_id"]) == (True, "PAY-1", "C-1")
    assert json.loads(made["invoices_source_ids"]) == ["1", "2"]
    assert json.loads(made["invoices_refs"]) == ["INV-1", "INV-2"]
    assert made["is_list_complete"] is True


def test_metadata_are_kept_as_json_whatever_they_hold() -> None:
    odd = {"created_by": 'K"ol\\leno', "payment_charge": "Zoë\n€ 1\t\x7f", "customer": "", "surcharge": "two"}
    others: list[Json] = [{}, {"customer": "c_1", "unread": "x"}, {"created_by": "Kolleno", "surcharge": "0.50"}]
    made = rows(
        "charges", "charges", *(charge(100, id=f"ch_{place}", metadata=one) for place, one in enumerate([odd, *others]))
    )
    kept = [None if one["metadata"] is None else json.loads(one["metadata"]) for one in made]
    assert kept == [{name: text for name, text in odd.items() if text}, None, {"customer": "c_1"}, others[2]]
    assert [one["surcharge_amount"] for one in made] == [None, None, None, Decimal("0.5")]


def test_lists_of_ids_are_cut_at_commas_alone() -> None:
    lists = ["1", " 1 ,2,, \u00a03\n", ",", "", 'a"b,c\\d,é f', None]
    own = [{"created_by": "Kolleno", "invoices_refs": one} for one in lists]
    payloads = [charge(100, id=f"ch_{place}", metadata=one) for place, one in enumerate(own)]
    payloads.append(charge(100, id="ch_other", metadata={"invoices_refs": "1"}))
    found = [one["invoices_refs"] for one in rows("charges", "charges", *payloads)]
    assert [None if one is None else json.loads(one) for one in found] == [
        ["1"],
        ["1", "2", "3"],
        None,
        None,
        ['a"b', "c\\d", "é f"],
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("text", "surcharge"),
    [
        *(("2.75", "2.75"), ("0", "0"), ("102.74", "102.74"), ("102.75", None), ("500", None), ("-1", None)),
        *(("2,75", None), ("1_0", None), ("NaN", None), ("1e99", None), ("", None), ("2.7500001", None), (" 2", None)),
    ],
)
def test_a_surcharge_is_a_number_below_the_amount(text: str, surcharge: str | None) -> None:
    metadata = {"created_by": "Kolleno", "surcharge": text}
    (made,) = rows("charges", "charges", charge(10_275, metadata=metadata))
    assert made["surcharge_amount"] == (None if surcharge is None else Decimal(surcharge))
    (other,) = rows("charges", "charges", charge(10_275, metadata={**metadata, "created_by": "Somebody"}))
    assert other["surcharge_amount"] is None


def test_metadata_of_others_names_nothing() -> None:
    metadata = {"created_by": "Somebody", "payment_charge": "PAY-1", "customer_source_id": "C-1"}
    (made,) = rows("charges", "charges", charge(100, metadata=metadata))
    assert made["is_own"] is False
    named = ("own_reference", "customer_source_id", "invoices_source_ids", "is_list_complete")
    assert [made[name] for name in named] == [None] * 4


@pytest.mark.parametrize(("length", "complete"), [(439, True), (440, False), (500, False)])
def test_a_list_that_may_have_been_cut_is_not_complete(length: int, complete: bool) -> None:
    metadata = {"created_by": "Kolleno", "invoices_source_id": "1" * length}
    (made,) = rows("charges", "charges", charge(100, metadata=metadata))
    assert made["is_list_complete"] is complete


def test_a_payout_that_took_money_from_the_bank() -> None:
    payload = charge(-10_000, id="po_1", automatic=True, arrival_date=CREATED, status="paid")
    (made,) = rows("payouts", "payouts", payload)
    assert made["amount"] == Decimal(-100)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('{"client_secret": "pi_1_s", "a": 1}', '{"client_secret": null, "a": 1}'),
        ('{"a": {"client_secret" :"x\\"y"}}', '{"a": {"client_secret" :null}}'),
        ('{"client_secret": null}', '{"client_secret": null}'),
        ('{"url": "https://h/x?a=1&client_secret=src_s&b=2"}', '{"url": "https://h/x?a=1&client_secret=&b=2"}'),
        (r'{"url": "https://h/x?client_secret=src_s\u0026b=2"}', r'{"url": "https://h/x?client_secret=\u0026b=2"}'),
        ('{"note": "no client_secret here"}', '{"note": "no client_secret here"}'),
    ],
)
def test_no_client_secret_is_kept(text: str, kept: str) -> None:
    assert without_secrets(text.encode()) == kept.encode()
    assert json.loads(kept)


def test_what_an_intent_received_has_no_parts_of_a_whole_currency() -> None:
    (block,) = said("payment_intents", charge(12_300, "isk", amount_received=12_345))
    assert "amount_received has parts" in block.quarantined[0].reason

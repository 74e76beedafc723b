"""What a sandbox Stripe account does with single payments, refunds, disputes and payouts, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from kolleno_pipelines.sandbox.stripe import charging, disputes, movements, payouts
from kolleno_pipelines.sandbox.stripe.book import Kind
from kolleno_pipelines.sandbox.stripe.categories import CATEGORY_OF, category_of
from kolleno_pipelines.sandbox.stripe.charging import Payment, RefusedError
from kolleno_pipelines.sandbox.stripe.ledger import Ledger, Terms, working_days_after
from kolleno_pipelines.sandbox.stripe.scenes import BY_HAND
from tests.stripe_book import AT, DAY, FX, event_types, ledger, payouts_of, rows

DEBIT = Payment(10_000, method="us_bank_account")


def test_time_goes_forward_and_does_what_is_due() -> None:
    account = ledger()
    charging.charge(account, AT + timedelta(microseconds=5), Payment(10_000))
    with pytest.raises(ValueError, match="is before it"):
        account.advance(AT - timedelta(seconds=1))
    account.advance(AT + 3 * DAY)
    assert account.balance(AT)["usd"] == (0, 9_680)
    assert account.balance(AT + 1.65 * DAY)["usd"] == (9_680, 0)
    assert account.balance(AT + 3 * DAY)["usd"] == (0, 0)


def test_working_days_leave_weekends_out() -> None:
    friday = AT + 4 * DAY
    assert [working_days_after(friday, each).isoweekday() for each in (0, 1, 2, 5)] == [5, 1, 2, 5]


def test_a_fee_is_the_sum_of_its_parts() -> None:
    account = ledger()
    charging.charge(account, AT, Payment(10_000, tax=61, application_fee=100))
    [row] = rows(account)
    assert (row["fee"], row["net"]) == (320 + 61 + 100, 9_519)
    assert [(each["type"], each["amount"]) for each in row["fee_details"]] == [
        *(("stripe_fee", 320), ("tax", 61), ("application_fee", 100))
    ]
    assert row["fee_details"][2]["application"].startswith("ca_")


@pytest.mark.parametrize(("currency", "amount"), [("isk", 1_050), ("ugx", 99), ("kwd", 1_005), ("usd", 0)])
def test_amounts_that_a_currency_does_not_have(currency: str, amount: int) -> None:
    account = ledger(Terms(settles=frozenset({currency})))
    with pytest.raises(RefusedError, match="Invalid amount"):
        charging.charge(account, AT, Payment(amount, currency))
    assert rows(account) == []


def test_currencies_without_a_balance_are_converted() -> None:
    account = ledger(FX)
    charging.charge(account, AT, Payment(1_500, "jpy"))
    charging.charge(account, AT, Payment(1_000, "eur"))
    assert [(each["amount"], each["currency"], each["fee"]) for each in rows(account)] == [
        (1_005, "usd", 59),
        (1_234, "usd", 66),
    ]
    refunded = charging.refund(account, AT, account.book.records(Kind.CHARGES, AT)[0]["id"], rate=Decimal("1.25"))
    assert (refunded["amount"], refunded["currency"], rows(account)[2]["amount"]) == (1_000, "eur", -1_250)


def test_ids_of_cards_and_debits() -> None:
    account = ledger()
    card, debit = charging.charge(account, AT, Payment(10_000)), charging.charge(account, AT, DEBIT)
    back = [charging.refund(account, AT, each["id"]) for each in (card, debit)]
    assert [each["id"].split("_")[0] for each in (card, debit, *back)] == ["ch", "py", "re", "pyr"]
    assert [each["type"] for each in rows(account)] == ["charge", "payment", "refund", "payment_refund"]
    assert [each["status"] for each in back] == ["succeeded", "pending"]
    account.advance(AT + 4 * DAY)
    assert account.book.latest(back[1]["id"])["status"] == "succeeded"
    named = [charging.charge(ledger(), AT, Payment(1, key="order"))["id"] for _ in range(2)]
    assert named[0] == named[1]


@pytest.mark.parametrize(
    ("method", "currency", "fee"),
    [("us_bank_account", "usd", 80), ("acss_debit", "cad", 140), ("sepa_debit", "eur", 35), ("bacs_debit", "gbp", 100)],
)
def test_every_debit_tells_its_account(method: str, currency: str, fee: int) -> None:
    account = ledger(Terms(settles=frozenset({currency})))
    made = charging.charge(account, AT, Payment(10_000, currency, method))
    details = made["payment_method_details"]
    assert details["type"] == method
    assert details[method]["last4"] == "6789"
    assert [(each["type"], each["fee"]) for each in rows(account)] == [("payment", fee)]


def test_a_book_goes_forward_and_knows_its_ids() -> None:
    account = ledger()
    made = charging.charge(account, AT, Payment(10_000))
    with pytest.raises(ValueError, match="has a version"):
        account.book.put(Kind.CHARGES, made, AT - DAY)
    with pytest.raises(KeyError):
        account.book.latest("nonsense")
    assert account.book.get("ch_none", AT) is None
    assert account.book.versions("nonsense", AT) == []
    assert account.book.get(made["id"], AT - DAY) is None


def test_a_declined_card_moves_nothing() -> None:
    account = ledger()
    made = charging.charge(account, AT, Payment(10_000, declined="card_declined"))
    assert (made["status"], made["failure_code"], made["balance_transaction"]) == ("failed", "card_declined", None)
    assert rows(account) == []
    assert event_types(account) == ["payment_intent.created", "charge.failed", "payment_intent.payment_failed"]


def test_a_debit_that_fails_while_pending_is_never_available() -> None:
    account = ledger()
    made = charging.charge(account, AT, DEBIT)
    charging.fail(account, AT + DAY, made["id"])
    assert account.balance(AT + DAY)["usd"] == (0, -80), "the fee alone"
    account.advance(AT + 6 * DAY)
    assert account.book.latest(made["id"])["status"] == "failed"
    assert account.book.latest(made["payment_intent"])["status"] == "requires_payment_method"


def test_part_of_a_charge_is_disputed_and_the_rest_refunded() -> None:
    account = ledger()
    made = charging.charge(account, AT, Payment(10_000))
    charging.refund(account, AT, made["id"], 4_000)
    dispute = disputes.open_dispute(account, AT, made["id"], 5_000, fee=2_000)
    assert (dispute["amount"], rows(account)[-1]["net"]) == (5_000, -7_000)
    disputes.close_dispute(account, AT, dispute["id"], won=True, fee_back=False)
    assert rows(account)[-1]["net"] == 5_000


def test_types_and_their_categories() -> None:
    assert category_of("charge") == category_of("payment") == "charge"
    assert category_of("refund") == category_of("payment_refund") == "refund"
    assert category_of("payout_failure") == category_of("payout_cancel") == "payout_reversal"
    assert category_of("network_cost") == "network_cost" not in CATEGORY_OF.values()


def test_a_minimum_is_held_in_every_payout_and_moves_the_balance_by_nothing() -> None:
    account = ledger(Terms(minimum={"usd": 100}))
    for day in (0, 1, 2):
        charging.charge(account, AT + day * DAY, Payment(1_061))
    account.advance(AT + 7 * DAY)
    made = payouts_of(account)
    assert [each["amount"] for each in made] == [900, 1_000, 1_000], "10.00 a day, of which 1.00 stays"
    assert account.balance(account.now)["usd"].available == 100
    holds = [each["net"] for each in rows(account) if each["type"].startswith("payout_minimum")]
    assert holds == [-100, 100] * 3


def test_what_is_below_the_minimum_stays() -> None:
    account = ledger(Terms(minimum={"usd": 10_000}))
    charging.charge(account, AT, Payment(10_000))
    account.advance(AT + 7 * DAY)
    assert payouts_of(account) == []
    assert account.balance(account.now)["usd"].available == 9_680


def test_a_payout_by_hand_is_a_row_of_the_next_automatic_one() -> None:
    account = ledger()
    charging.charge(account, AT, Payment(50_000))
    account.advance(AT + 1.62 * DAY)
    by_hand = payouts.pay_out(account, AT + 1.65 * DAY, 40_000, "usd", instant=True)
    account.advance(AT + 7 * DAY)
    automatic = payouts_of(account)[1]
    members = payouts.members_of(account, automatic["id"], account.now)[1:]
    assert [(each["type"], each["net"]) for each in members] == [
        *(("charge", 48_520), ("payout", -40_000), ("stripe_fee", -600)),
    ]
    assert by_hand["balance_transaction"] in {each["id"] for each in members}
    assert automatic["amount"] == 7_920


def _charged(account: Ledger, payment: Payment = DEBIT) -> str:
    return str(charging.charge(account, AT, payment)["id"])


def _declined(account: Ledger) -> str:
    return _charged(account, Payment(10_000, declined="card_declined"))


def _disputed(account: Ledger) -> str:
    charge_id = _charged(account, Payment(10_000))
    disputes.open_dispute(account, AT, charge_id)
    return charge_id


def _closed(account: Ledger) -> str:
    made = disputes.open_dispute(account, AT, _charged(account, Payment(10_000)))
    return str(disputes.close_dispute(account, AT, made["id"], won=False)["id"])


def _failed_refund(account: Ledger) -> str:
    made = charging.refund(account, AT, _charged(account, Payment(10_000)))
    return str(charging.fail_refund(account, AT, made["id"])["id"])


def _paid_out(account: Ledger) -> str:
    movements.top_up(account, AT, 10_000, "usd")
    return str(payouts.pay_out(account, AT, 5_000, "usd")["id"])


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda each: charging.fail(each, AT, _charged(each, Payment(1))), id="a card fails late"),
        pytest.param(lambda each: charging.refund(each, AT, _charged(each), 10_001), id="more than was charged"),
        pytest.param(lambda each: charging.refund(each, AT, _charged(each), 0), id="nothing is refunded"),
        pytest.param(lambda each: disputes.open_dispute(each, AT, _charged(each)), id="a pending debit is disputed"),
        pytest.param(lambda each: disputes.close_dispute(each, AT, _closed(each), won=True), id="closed twice"),
        pytest.param(lambda each: charging.fail_refund(each, AT, _failed_refund(each)), id="a refund fails twice"),
        pytest.param(lambda each: charging.refund(each, AT, _disputed(each)), id="what is disputed is refunded"),
        pytest.param(lambda each: charging.refund(each, AT, _declined(each)), id="what failed is refunded"),
        pytest.param(lambda each: payouts.pay_out(each, AT, 1, "usd"), id="nothing is available"),
        pytest.param(lambda each: payouts.pay_out(each, AT, 1, "eur"), id="no such balance"),
        pytest.param(lambda each: payouts.pay_out(each, AT, -1, "usd"), id="less than nothing"),
    ],
)
def test_what_stripe_would_not_do(act: Callable[[Ledger], object]) -> None:
    account = ledger(BY_HAND)
    with pytest.raises(RefusedError):
        act(account)


def test_a_payout_on_its_way_is_not_cancelled_and_fails_once() -> None:
    account = ledger(BY_HAND)
    payout_id = _paid_out(account)
    account.advance(AT + timedelta(hours=3))
    with pytest.raises(RefusedError, match="on its way"):
        payouts.cancel_payout(account, account.now, payout_id)
    with pytest.raises(ValueError, match="no payout failure"):
        payouts.fail_payout(account, account.now, payout_id, "nonsense")
    payouts.fail_payout(account, account.now, payout_id)
    with pytest.raises(RefusedError, match="failed"):
        payouts.fail_payout(account, account.now, payout_id)
    account.advance(AT + 5 * DAY)
    failed = account.book.latest(payout_id)
    assert (failed["status"], failed["trace_id"]["status"]) == ("failed", "pending"), "a failed one is not paid later"
    assert account.balance(account.now)["usd"].available == 10_000


def test_a_payout_that_waits_is_cancelled() -> None:
    account = ledger(BY_HAND)
    made = payouts.cancel_payout(account, AT, _paid_out(account))
    assert (made["status"], made["trace_id"]) == ("canceled", {"status": "unsupported", "value": None})
    back = account.book.latest(made["failure_balance_transaction"])
    assert (back["type"], back["reporting_category"], back["net"]) == ("payout_cancel", "payout_reversal", 5_000)
    assert event_types(account)[-1] == "payout.canceled"


def test_a_live_account_says_so_everywhere() -> None:
    account = ledger(Terms(livemode=True))
    made = charging.charge(account, AT, Payment(10_000))
    charging.refund(account, AT, made["id"], 100)
    disputes.open_dispute(account, AT, made["id"])
    account.advance(AT + 7 * DAY)
    for kind in Kind:
        assert {each.get("livemode", True) for each in account.book.records(kind, account.now)} <= {True}

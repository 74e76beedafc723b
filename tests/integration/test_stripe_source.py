"""Reading Stripe over HTTP from the simulated vendor: edges of windows and pages, refusals, headers, what is logged."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
import stripe
from starlette.responses import Response

from kolleno_pipelines.connectors.errors import ConnectorError, NeedsHuman, Permanent, Retryable
from kolleno_pipelines.connectors.stripe import account, lists
from kolleno_pipelines.sandbox.stripe import charging
from kolleno_pipelines.sandbox.stripe.access import READ_ALL, no_limits
from kolleno_pipelines.sandbox.stripe.book import Kind
from kolleno_pipelines.sandbox.stripe.charging import Payment
from kolleno_pipelines.sandbox.stripe.ledger import Ledger, Terms
from kolleno_pipelines.sandbox.stripe.payouts import open_account
from kolleno_pipelines.sandbox.stripe.reading import Tamper
from kolleno_pipelines.sandbox.stripe.scenes import AT, NOW
from kolleno_pipelines.sandbox.stripe.server import SandboxStripe
from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from tests.canaries import CANARY
from tests.stripe_reading import ATTEMPTS, Source, Watching

SECOND = timedelta(seconds=1)
SAME = 5


@pytest.fixture
def ledger() -> Ledger:
    """Two charges, then several in one second, then one; all paid out."""
    ledger = open_account("source", AT - timedelta(days=1))
    for at in (AT, AT + SECOND, *([AT + 2 * SECOND] * SAME), AT + 3 * SECOND):
        charging.charge(ledger, at, Payment(1_000))
    ledger.advance(NOW - timedelta(hours=1))
    return ledger


@pytest.fixture
def vendor(ledger: Ledger) -> Iterator[SandboxStripe]:
    other = open_account("other", AT - timedelta(days=1))
    with SandboxStripe(ledger, other, clock=VendorClock(NOW), limits=no_limits(), mark=CANARY) as vendor:
        yield vendor


@pytest.fixture
def source(vendor: SandboxStripe) -> Iterator[Source]:
    opened = Source(vendor)
    with opened.http:
        yield opened


@pytest.mark.parametrize("page", [1, 2, 3, 5, 100])
def test_what_came_in_one_second_lies_on_both_sides_of_it(
    source: Source, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(lists, "PAGE", page)
    edge = AT + 2 * SECOND
    every = [each["id"] for each in ledger.book.records(Kind.CHARGES, NOW)[::-1]]
    assert source.ids("charges") == every
    assert source.ids("charges", None, edge) == every[:-1]
    assert source.ids("charges", edge) == every[2:]
    assert source.ids("charges", edge, edge) == every[2:-1]
    assert source.ids("charges", edge + SECOND, edge + SECOND) == every[-1:]


@pytest.mark.parametrize("page", [2, 3, 4, 100])
def test_a_row_that_is_told_twice(
    source: Source, vendor: SandboxStripe, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    """In the list of a payout it is two members, wherever pages end; in the balance it is one row."""
    monkeypatch.setattr(lists, "PAGE", page)
    ((payout, rows),) = ledger.members.items()
    before = source.ids("payout_members", None, NOW, (payout,))
    assert before[1:] == [f"{payout}|{row}" for row in reversed(rows)]
    for row in rows:
        twin = {row: ledger.book.latest(row)}
        vendor.tamper(Tamper("doubled", "a row is told twice", row, doubled=twin))
        members = source.ids("payout_members", None, NOW, (payout,))
        assert {*before, f"{payout}|{row}#2"} <= set(members)
        assert {member.partition("#")[0] for member in members} == set(before), "the others once"
        assert set(source.ids("balance_transactions")) == {*rows, ledger.book.latest(payout)["balance_transaction"]}


@pytest.mark.parametrize(
    ("status", "error", "requests"),
    [
        (400, Permanent, 1),
        (402, Permanent, 1),
        (403, NeedsHuman, 1),
        (404, Permanent, 1),
        (409, Retryable, ATTEMPTS),
        (429, Retryable, ATTEMPTS),
        (500, Retryable, ATTEMPTS),
        (503, Retryable, ATTEMPTS),
    ],
)
def test_a_refusal_says_who_must_act_and_only_we_repeat(
    source: Source, vendor: SandboxStripe, status: int, error: type[ConnectorError], requests: int
) -> None:
    vendor.server.fail_next("/v1/charges", status, 50)
    with pytest.raises(error, match=f"charges answered {status}"):
        source.read("charges")
    assert vendor.server.count("/v1/charges") == requests
    assert len(source.waits) == requests - 1


def test_too_many_requests_are_waited_for_as_the_vendor_says_else_a_second(
    source: Source, vendor: SandboxStripe
) -> None:
    for headers in ({}, {"Retry-After": "7"}):
        vendor.server.fail_next("/v1/charges", 429, headers=headers)
        assert source.read("charges")
    assert source.waits == [account.LIMIT_HEADERS.pause, 7]


def test_a_permission_that_is_missing_is_named(vendor: SandboxStripe) -> None:
    held = {area: right for area, right in READ_ALL.items() if area != "disputes"}
    limited = Source(vendor, vendor.new_key(permissions=held).secret)
    with limited.http:
        assert limited.read("charges")
        with pytest.raises(NeedsHuman, match=r"rak_dispute_read.*give the restricted key read access") as refused:
            limited.read("disputes")
    assert limited.key not in str(refused.value)


def test_an_account_that_the_key_does_not_reach_is_told(vendor: SandboxStripe, ledger: Ledger) -> None:
    own = Source(vendor, vendor.new_key(ledger.account_id).secret, list(vendor.ledgers)[1])
    with own.http, pytest.raises(NeedsHuman, match=r"as account_id in connections\.yaml"):
        own.read("charges")


def test_a_key_that_was_revoked_is_asked_for_once_more_and_no_more(source: Source, vendor: SandboxStripe) -> None:
    vendor.revoke(source.key)
    with pytest.raises(NeedsHuman, match="does not take the key") as refused:
        source.read("charges")
    assert source.key not in str(refused.value)
    assert vendor.server.count() == 1


def test_a_deleted_customer_is_in_no_list_and_told_by_its_id(
    source: Source, vendor: SandboxStripe, ledger: Ledger
) -> None:
    kept, gone = (charging.add_customer(ledger, ledger.now, name=name)["id"] for name in ("kept", "gone"))
    charging.delete_customer(ledger, ledger.now, gone)
    assert source.ids("customers") == [kept]
    found = source.read("customers", None, NOW, (kept, gone, "cus_nobody", "../balance", f"{kept}?limit=1"))
    assert [record.source_id for record in found] == [kept, gone]
    assert json.loads(found[1].payload) == {"id": gone, "object": "customer", "deleted": True}


@pytest.mark.parametrize("times", [1, 4])
def test_a_balance_that_moves_meanwhile_is_taken_once_more(
    source: Source, vendor: SandboxStripe, ledger: Ledger, times: int
) -> None:
    _move_the_balance(vendor, ledger, times)
    (record,) = source.read("balance_snapshots")
    said = json.loads(record.payload)
    newest = ledger.book.records(Kind.BALANCE_TRANSACTIONS, NOW)[0]["id"]
    assert said["newest_balance_transaction"] == newest, "the row up to which it counts"
    stated = sum(fund["amount"] for part in ("available", "pending") for fund in said["balance"][part])
    assert stated == sum(entry.net for entry in ledger.entries)


def test_a_balance_that_never_stands_still_is_left_to_the_next_reading(
    source: Source, vendor: SandboxStripe, ledger: Ledger
) -> None:
    _move_the_balance(vendor, ledger, 100)
    with pytest.raises(Retryable, match="changed while it was read"):
        source.read("balance_snapshots")
    assert vendor.server.count("/v1/balance") < 20


def _move_the_balance(vendor: SandboxStripe, ledger: Ledger, times: int) -> None:
    """Let a charge come right before the balance is told, so many times."""
    left = [Payment(100)] * times
    watching = Watching(
        vendor.server.app, "/v1/balance", lambda: left and charging.charge(ledger, ledger.now, left.pop())
    )
    vendor.server.app = watching


def test_what_is_sent_and_what_is_not(vendor: SandboxStripe) -> None:
    connected = list(vendor.ledgers)[1]
    vendor.server.app = watching = Watching(vendor.server.app)
    for account_id in (None, connected):
        source = Source(vendor, account_id=account_id)
        with source.http:
            source.read("charges")
            source.read("balance_snapshots")
    assert len(watching.headers) == 8
    own, other = watching.headers[:4], watching.headers[4:]
    assert {each["stripe-version"] for each in watching.headers} == {account.VERSION}
    assert {each["authorization"] for each in watching.headers} == {f"Bearer {vendor.key}"}
    assert {each["user-agent"] for each in watching.headers} == {"kolleno-pipelines"}
    assert {each["stripe-account"] for each in other} == {connected}
    assert not any("stripe-account" in each for each in own)
    names = {name for each in watching.headers for name in each}
    assert not any("telemetry" in name or "client-user-agent" in name for name in names), names
    assert not any("telemetry" in value.lower() for each in watching.headers for value in each.values())


def test_neither_key_nor_body_is_logged_at_any_level(
    source: Source,
    vendor: SandboxStripe,
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    intents = [each["client_secret"] for each in ledger.book.records(Kind.PAYMENT_INTENTS, NOW)]
    monkeypatch.setattr(stripe, "log", "debug")  # what STRIPE_LOG=debug does: print to the terminal
    for name in ("", "stripe", "urllib3", "urllib3.connectionpool"):
        caplog.set_level(logging.DEBUG, logger=name)
    assert source.read("payment_intents")
    vendor.server.fail_next("/v1/charges", 500, 1)
    source.read("charges")
    vendor.revoke(source.key)
    with pytest.raises(NeedsHuman):
        source.read("refunds")
    told = "".join([caplog.text, *capfd.readouterr()])
    assert "stripe" in {record.name for record in caplog.records}
    assert "/v1/payment_intents" in told, "what was asked for is told"
    assert not [secret for secret in (source.key, *intents, '"payment_intent"') if secret in told]


def test_answers_of_another_version_are_refused(source: Source, vendor: SandboxStripe) -> None:
    def other() -> Response:
        headers = {"Stripe-Version": "2020-08-27"}
        return Response('{"data": [], "has_more": false}', media_type="application/json", headers=headers)

    vendor.server.fail_next("/v1/charges", other, 50)
    with pytest.raises(NeedsHuman, match=f"in version 2020-08-27 .* {account.VERSION} was asked for"):
        source.read("charges")
    assert vendor.server.count("/v1/charges") == 1


@pytest.mark.parametrize(
    "body",
    ['{"object": "list"}', "[]", '{"data": [{}], "has_more": false}', '{"data": ["ch_1"], "has_more": false}',
     '{"data": []}', '{"data": null, "has_more": false}', '{"data": [], "has_more": "false"}', '{"data": [}'],
)  # fmt: skip
def test_an_answer_that_is_no_list_is_no_empty_list(source: Source, vendor: SandboxStripe, body: str) -> None:
    for path, extract in (("/v1/charges", "charges"), ("/v1/balance_transactions", "balance_snapshots")):
        vendor.server.fail_next(path, lambda: Response(body, media_type="application/json"))
        with pytest.raises(Retryable, match="without what a list has"):
            source.read(extract)


@pytest.mark.parametrize("body", ["[]", "{}, {}", '{"id": "ch_1", }', '["ch_1"]'])
def test_an_answer_that_is_no_object_is_asked_for_again_later(source: Source, vendor: SandboxStripe, body: str) -> None:
    vendor.server.fail_next("/v1/charges/", lambda: Response(body, media_type="application/json"))
    with pytest.raises(Retryable, match="without the object that was asked for"):
        source.read("charges", ids=("ch_1",))


def test_an_object_without_its_moment_ends_a_page_with_a_sentence(source: Source, vendor: SandboxStripe) -> None:
    body = '{"data": [{"id": "ch_1"}], "has_more": true}'
    vendor.server.fail_next("/v1/charges", lambda: Response(body, media_type="application/json"))
    with pytest.raises(Permanent, match="ch_1 has no `created`"):
        source.read("charges")


@pytest.mark.parametrize("livemode", [True, False])
@pytest.mark.parametrize(
    "extract", ["charges", "balance_transactions", "balance_snapshots", "payment_intents", "payouts", "events"]
)
def test_objects_of_the_other_mode_are_refused(livemode: bool, extract: str) -> None:
    ledger = open_account("mode", AT - timedelta(days=1), Terms(livemode=livemode))
    charging.charge(ledger, AT, Payment(1_000))
    with SandboxStripe(ledger, clock=VendorClock(NOW), limits=no_limits(), mark=CANARY) as vendor:
        source = Source(vendor)
        with source.http:
            assert source.read(extract), "of its own mode"
            key = vendor.api.keys[vendor.key]
            source.key = source.key.replace("_live_" if livemode else "_test_", "_test_" if livemode else "_live_")
            vendor.api.keys[source.key] = key
            own, other = ("test", "live") if livemode else ("live", "test")
            with pytest.raises(NeedsHuman, match=f"objects of {other} mode, and the key is of {own} mode"):
                source.read(extract)


@pytest.mark.parametrize(
    ("key", "is_live"),
    [
        ("sk_live_abc", True),
        ("rk_live_abc", True),
        ("sk_test_abc", False),
        ("rk_test_a_b", False),
        ("sk_org_live_abc", None),
        ("live", None),
        ("", None),
    ],
)
def test_the_mode_of_a_key(key: str, is_live: bool | None) -> None:
    assert account.is_live(key) is is_live

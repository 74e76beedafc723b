"""Contract of every registered connector over HTTP: windows, pages, limits, faults, sign-ins. No database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kolleno_pipelines.connectors.contract import Connector, Extract, Pass, Record, Window
from kolleno_pipelines.connectors.errors import NeedsHuman, Permanent, Retryable
from kolleno_pipelines.connectors.registry import connector_of
from tests.contract.vendors import ASKED, ATTEMPTS, Client, Vendor, client_of, parsed, serve, write_some

SECOND = timedelta(seconds=1)
SOME = 7
PAGE = 3


@pytest.fixture(params=ASKED)
def connector(request: pytest.FixtureRequest) -> Connector:
    return connector_of(request.param)


@pytest.fixture
def vendor(connector: Connector) -> Iterator[Vendor]:
    with serve(connector.system) as served:
        yield served


@pytest.fixture
def client(vendor: Vendor) -> Iterator[Client]:
    with client_of(vendor) as opened:
        yield opened


@pytest.fixture
def written(connector: Connector, vendor: Vendor) -> Extract:
    return connector.extract(vendor.written)


@pytest.fixture
def small_pages(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vendor.page_size, PAGE)


def marks(records: list[Record]) -> list[tuple[str, datetime | None]]:
    return [(record.source_id, record.modified_at) for record in records]


def asked(vendor: Vendor) -> int:
    return vendor.server.count(vendor.api)


def changing(connector: Connector) -> list[Extract]:
    """Extracts whose windows differ from each other."""
    found = [extract for extract in connector.extracts if Pass.CHANGES in extract.passes and not extract.is_momentary]
    assert found
    return found


def test_a_window_has_what_lies_in_it_and_loses_nothing_at_its_ends(
    connector: Connector, vendor: Vendor, client: Client
) -> None:
    write_some(vendor, SOME, apart=timedelta(hours=5))
    for extract in changing(connector):
        whole = client.read(extract)
        moments = sorted({record.modified_at for record in whole if record.modified_at})
        assert whole, extract.name
        assert [at for _, at in marks(whole) if at] == sorted(at for _, at in marks(whole) if at), "by rising moments"
        for after, until in ((moments[0], moments[-1]), (moments[len(moments) // 2], moments[-1]), (None, moments[0])):
            found = set(marks(client.read(extract, after, until)))
            inside = {mark for mark in marks(whole) if _lies(mark[1], after, until)}
            # A vendor may leave out the moment at which a window opens: the client may ask from a second before.
            before = {mark for mark in marks(whole) if _lies(mark[1], after and after - SECOND, until)}
            assert inside <= found <= before, f"{extract.name} from {after} to {until}"
        assert client.read(extract, None, moments[0] - SECOND) == [r for r in whole if r.modified_at is None]


def _lies(at: datetime | None, after: datetime | None, until: datetime) -> bool:
    return at is None or ((after is None or at >= after) and at <= until)


@pytest.mark.parametrize("pieces", [2, 5])
def test_windows_that_follow_each_other_are_one_window(
    connector: Connector, vendor: Vendor, client: Client, pieces: int
) -> None:
    write_some(vendor, SOME, apart=timedelta(hours=5))
    for extract in changing(connector):
        whole = client.read(extract)
        first = min(record.modified_at for record in whole if record.modified_at) - SECOND
        step = (vendor.clock.now - first) / pieces
        bounds = [None, *(first + number * step for number in range(1, pieces)), vendor.clock.now]
        found = [
            mark for after, until in pairwise(bounds) if until for mark in marks(client.read(extract, after, until))
        ]
        assert set(found) == set(marks(whole)), extract.name


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("apart", [timedelta(0), SECOND, timedelta(hours=1)], ids=["at once", "seconds", "hours"])
def test_pages_are_read_to_their_end(vendor: Vendor, client: Client, written: Extract, apart: timedelta) -> None:
    begin = vendor.clock.now
    made = write_some(vendor, SOME, apart=apart)
    before = asked(vendor)
    found = [record.source_id for record in client.read(written, begin)]
    assert sorted(found) == sorted(made), "everything, and once"
    assert asked(vendor) - before >= SOME // PAGE, "several pages came"


def test_the_size_of_pages_changes_nothing(
    connector: Connector, vendor: Vendor, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = {extract.name: set(marks(client.read(extract))) for extract in changing(connector)}
    before = asked(vendor)
    monkeypatch.setattr(vendor.page_size, PAGE)
    for extract in changing(connector):
        found = marks(client.read(extract))
        assert set(found) == whole[extract.name]
        assert len(found) == len(set(found)), f"{extract.name}: a version comes once"
    assert asked(vendor) - before > len(changing(connector)), "several pages came"


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("apart", [timedelta(0), SECOND], ids=["at once", "seconds"])
@pytest.mark.parametrize("read_before", [1, 4, 6])
def test_nothing_is_lost_when_objects_change_while_pages_are_read(
    connector: Connector, vendor: Vendor, client: Client, written: Extract, apart: timedelta, read_before: int
) -> None:
    """What was read leaves its place for the end of the list, beyond the window; all behind it move up.

    Where a changed object keeps its place, it is read in this window, and told of in a later one.
    """
    begin = vendor.clock.now
    made = write_some(vendor, 3 * SOME, apart=apart)
    until = vendor.clock.now
    found = []
    for record in client.source.records(written, Window(Pass.CHANGES, begin, until)):
        found.append(record.source_id)
        if len(found) == read_before:
            for source_id in made[:2]:
                vendor.change(source_id, until + 2 * SECOND)
            vendor.clock.set(until + 5 * SECOND)
    missed = set(made) - set(found)
    # What changed before it was read is of a later window; all others belong to this one.
    assert missed <= (set(made[:2]) if vendor.told_by == vendor.written else set())
    telling = client.read(connector.extract(vendor.told_by), until, vendor.clock.now)
    assert set(made[:2]) <= {vendor.changed_in(payload) for payload in parsed(telling)}


def test_what_is_of_the_moment_comes_whatever_the_window(connector: Connector, vendor: Vendor, client: Client) -> None:
    for extract in connector.extracts:
        if extract.is_momentary:
            found = client.read(extract, vendor.clock.now - SECOND)
            assert found, extract.name
            assert [record.modified_at for record in found] == [None] * len(found)


def test_nothing_to_tell_is_no_fault(connector: Connector, vendor: Vendor, client: Client) -> None:
    late = vendor.clock.now + timedelta(days=1)
    vendor.clock.set(late)
    for extract in changing(connector):
        assert [r for r in client.read(extract, late - timedelta(hours=1), late) if r.modified_at] == [], extract.name
    assert client.waits == []


@pytest.mark.parametrize("status", [429, 503])
def test_a_wait_that_the_vendor_asks_for_is_waited(
    vendor: Vendor, client: Client, written: Extract, status: int
) -> None:
    whole, before = marks(client.read(written)), asked(vendor)
    vendor.server.fail_next(vendor.api, status, headers={"Retry-After": "97"})
    assert marks(client.read(written)) == whole
    assert len(client.waits) == 1
    assert client.waits[0] >= 97
    assert asked(vendor) - before == before + 1, "the one request was repeated"


def test_a_wait_that_is_too_long_ends_the_reading_and_says_how_long(
    vendor: Vendor, client: Client, written: Extract
) -> None:
    vendor.server.fail_next(vendor.api, 429, headers={"Retry-After": "7200"})
    with pytest.raises(Retryable) as stopped:
        client.read(written)
    assert stopped.value.retry_after == 7200
    assert client.waits == []


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_fault_of_the_vendor_is_retried_within_a_bound(
    vendor: Vendor, client: Client, written: Extract, status: int
) -> None:
    whole = marks(client.read(written))
    vendor.server.fail_next(vendor.api, status, ATTEMPTS - 1)
    assert marks(client.read(written)) == whole
    assert len(client.waits) == ATTEMPTS - 1
    before = asked(vendor)
    vendor.server.fail_next(vendor.api, status, 50)
    with pytest.raises(Retryable):
        client.read(written)
    assert asked(vendor) - before == ATTEMPTS


def test_a_body_that_is_no_json_is_retried_then_an_error(vendor: Vendor, client: Client, written: Extract) -> None:
    """A proxy's page with status 200."""
    whole = marks(client.read(written))

    def page() -> Response:
        return HTMLResponse("<html><body>We are improving our service.</body></html>")

    vendor.server.fail_next(vendor.api, page)
    assert marks(client.read(written)) == whole
    before = asked(vendor)
    vendor.server.fail_next(vendor.api, page, 50)
    with pytest.raises(Retryable, match="JSON"):
        client.read(written)
    assert asked(vendor) - before == ATTEMPTS


def test_a_sign_in_that_ended_is_renewed_once_and_the_request_repeated(
    vendor: Vendor, client: Client, written: Extract
) -> None:
    whole, before = marks(client.read(written)), asked(vendor)
    vendor.expire()
    assert marks(client.read(written)) == whole
    assert len(client.sign_ins) == 2
    assert asked(vendor) - before == before + 1
    assert client.waits == []


def test_a_sign_in_that_does_not_hold_needs_a_person(vendor: Vendor, client: Client, written: Extract) -> None:
    before = asked(vendor)
    vendor.server.fail_next(vendor.api, 401, 50)
    with pytest.raises(NeedsHuman) as refused:
        client.read(written)
    assert (asked(vendor) - before, len(client.sign_ins)) == (2, 2), "once more with a new one, then no more"
    secrets = [sign_in.removeprefix("Bearer ") for sign_in in client.sign_ins]
    assert not [secret for secret in secrets if secret in str(refused.value)]


class _Repeating:
    """Answers every request for data with the first answer that was a full page."""

    def __init__(self, app: ASGIApp, path: str, most: int) -> None:
        self._app, self._path, self._most = app, path, most
        self._said: list[Message] = []
        self.asked = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not scope["path"].startswith(self._path):
            await self._app(scope, receive, send)
            return
        self.asked += 1
        if self.asked > self._most:
            await Response("The test ends here.", 400)(scope, receive, send)
            return
        if self._said:
            for message in self._said:
                await send(message)
            return

        async def keep(message: Message) -> None:
            if self._said or message.get("status") == 200:  # no refusal of a sign-in that ended
                self._said.append(message)
            await send(message)

        await self._app(scope, receive, keep)


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("apart", [timedelta(0), timedelta(hours=1)], ids=["at once", "hours"])
def test_a_page_that_comes_again_and_again_is_found(
    vendor: Vendor, client: Client, written: Extract, apart: timedelta
) -> None:
    begin = vendor.clock.now
    write_some(vendor, SOME, apart=apart)
    vendor.server.app = repeating = _Repeating(vendor.server.app, vendor.api, most=30)
    with pytest.raises(Permanent, match="lead round"):
        client.read(written, begin)
    assert 2 <= repeating.asked < 10


def test_single_objects_are_found_by_id_and_unknown_ones_are_none(
    connector: Connector, vendor: Vendor, client: Client, written: Extract
) -> None:
    if Pass.LOOKUP not in written.passes:
        with pytest.raises(KeyError):
            connector.extract("")
        return
    made = write_some(vendor, 2, apart=SECOND)
    window = Window(Pass.LOOKUP, None, vendor.clock.now, tuple(made))
    assert sorted(record.source_id for record in client.source.records(written, window)) == sorted(made)
    vendor.delete(made[0], vendor.clock.now)
    found = [record.source_id for record in client.source.records(written, window)]
    assert made[1] in found

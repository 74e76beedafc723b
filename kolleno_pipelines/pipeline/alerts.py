"""Reports to people: what has stalled, failed or gone silent, once until it changes, to the log and a webhook.

Finding out about runs does not belong here (automation/); nor does any repair.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import SecretStr

from kolleno_pipelines.storage.batches import BatchRow

log = logging.getLogger(__name__)

_CONNECT_SECONDS, _READ_SECONDS = 3.05, 5.0
_MOST_PER_POST = 50
_MOST_UNSENT = 200


class AlertKind(StrEnum):
    """What an alert is about; part of the posted JSON, so names stay."""

    STALLED_BATCH = "stalled_batch"
    FAILED_BATCH = "failed_batch"
    SILENCE = "silence"
    RUN_FAILED = "run_failed"
    RUN_ORPHANED = "run_orphaned"
    GAVE_UP = "gave_up"
    CANNOT_LIST = "cannot_list"
    NEEDS_REAUTH = "needs_reauth"
    SIGN_IN_ENDS = "sign_in_ends"


@dataclass(frozen=True)
class Alert:
    """One thing that somebody should know. `subject` with kind and connection is its identity, `message` a sentence."""

    kind: AlertKind
    connection: str
    subject: str
    message: str
    details: dict[str, str | list[str]] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Identity: an alert of the same key and message is the same alert."""
        return f"{self.kind} {self.connection} {self.subject}"

    def as_json(self) -> dict[str, object]:
        """Return what is posted."""
        return {
            "kind": self.kind.value,
            "connection": self.connection,
            "subject": self.subject,
            "message": self.message,
            "details": self.details,
        }


def as_alert(stored: Mapping[str, Any]) -> Alert:
    """Return an alert again from what `as_json` gave."""
    return Alert(
        AlertKind(stored["kind"]), stored["connection"], stored["subject"], stored["message"], dict(stored["details"])
    )


def batch_alerts(batches: Iterable[BatchRow]) -> list[Alert]:
    """Return an alert for each stalled or failed batch among those just computed."""
    return [_batch_alert(row) for row in batches if row.status in {"stalled", "failed"}]


def _batch_alert(row: BatchRow) -> Alert:
    details: dict[str, str | list[str]] = {"names": row.names, "missing": row.missing, "failed": row.failed}
    if row.status == "stalled":
        text = f"Batch {row.batch_id} of {row.connection} has stalled: {', '.join(row.missing)} did not come."
        step = f"Ask the sender for it, or: kolleno batches release {row.batch_id} (or skip)."
        return Alert(AlertKind.STALLED_BATCH, row.connection, row.batch_id, f"{text} {step}", details)
    text = f"Batch {row.batch_id} of {row.connection} has failed: {', '.join(row.failed)} cannot be read."
    step = "`kolleno files` names the file, `kolleno files show NAME` says what is wrong in it."
    return Alert(AlertKind.FAILED_BATCH, row.connection, row.batch_id, f"{text} {step}", details)


def changed(alerts: Iterable[Alert], told: dict[str, str]) -> list[Alert]:
    """Return the alerts that nobody was told yet, or that say something else now. `told`: key to message."""
    return [alert for alert in alerts if told.get(alert.key) != alert.message]


def log_alerts(alerts: Iterable[Alert]) -> None:
    """Write alerts to the log."""
    for alert in alerts:
        log.warning("%s: %s", alert.kind, alert.message)


def post_all(
    unsent: Iterable[Mapping[str, Any]], news: Iterable[Alert], webhook: SecretStr | None, *, now: datetime
) -> list[dict[str, object]]:
    """Post what was not taken before and what is new; returns what is to be sent again, in the form of `as_json`."""
    waiting = [*(as_alert(stored) for stored in unsent), *news]
    return [alert.as_json() for alert in post(waiting, webhook, now=now)[-_MOST_UNSENT:]]


def post(alerts: Sequence[Alert], webhook: SecretStr | None, *, now: datetime) -> list[Alert]:
    """Post alerts as one JSON object per 50; returns those that the webhook did not take.

    After an object that got no answer the rest waits too: whoever posts has little time.
    The address is a secret: neither it nor what the other side answers is logged.
    """
    if webhook is None:
        return []
    left: list[Alert] = []
    for start in range(0, len(alerts), _MOST_PER_POST):
        part = alerts[start : start + _MOST_PER_POST]
        taken = _post(webhook, part, now)
        if taken is None:
            return [*left, *alerts[start:]]
        if not taken:
            left += part
    return left


def _post(webhook: SecretStr, alerts: Sequence[Alert], now: datetime) -> bool | None:
    """Tell whether the webhook took them, None when it did not answer."""
    import requests

    lines = "\n".join(alert.message for alert in alerts)
    body = {"text": lines, "sent_at": now.isoformat(), "alerts": [alert.as_json() for alert in alerts]}
    try:
        answer = requests.post(
            webhook.get_secret_value(), json=body, timeout=(_CONNECT_SECONDS, _READ_SECONDS), allow_redirects=False
        )
    except (requests.RequestException, ValueError) as error:
        log.warning("The webhook could not be reached (%s): the alerts are sent again.", type(error).__name__)
        return None
    if answer.status_code >= 300:
        log.warning("The webhook answered %s: the alerts are sent again.", answer.status_code)
        return False
    return True

"""How Stripe says no: `{"error": {type, code, message, param}}` with a status. No decision when."""

from __future__ import annotations

import json
from collections.abc import Mapping

from starlette.responses import Response

INVALID = "invalid_request_error"
_DOCS = "https://stripe.com/docs/error-codes/"


class ApiRefusalError(Exception):
    """A request that is answered with an error; `executed` when it got as far as the account."""

    def __init__(self, status: int, error: Mapping[str, object], *, executed: bool = False) -> None:
        super().__init__(str(error.get("message")))
        self.status = status
        self.error = error
        self.executed = executed

    def response(self, request_id: str) -> Response:
        """Return the answer."""
        log = {"request_log_url": f"https://dashboard.stripe.com/test/logs/{request_id}"}
        headers = {"WWW-Authenticate": 'Basic realm="Stripe"'} if self.status == 401 else {}
        return json_response({"error": {**self.error, **log}}, self.status, headers)


def json_response(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer in JSON, as Stripe lays it out."""
    text = json.dumps(body, indent=2, ensure_ascii=False)
    return Response(text, status_code=status, media_type="application/json", headers=dict(headers or {}))


def refusal(
    message: str, *, status: int = 400, code: str = "", param: str | None = None, kind: str = INVALID, **more: object
) -> ApiRefusalError:
    """Return a refusal with the parts that it has."""
    error: dict[str, object] = {"message": message, "type": kind, **more}
    if code:
        error |= {"code": code, "doc_url": _DOCS + code.replace("_", "-")}
    if param:
        error["param"] = param
    return ApiRefusalError(status, error)


def no_such(word: str, identity: str, *, param: str = "id", status: int = 404) -> ApiRefusalError:
    """Return that there is no such object; a parameter that names one is a bad request."""
    return refusal(f"No such {word}: '{identity}'", status=status, code="resource_missing", param=param)


def unknown_parameter(name: str) -> ApiRefusalError:
    """Return that an address has no such parameter."""
    return refusal(f"Received unknown parameter: {name}", code="parameter_unknown", param=name)


def unknown_address(method: str, path: str) -> ApiRefusalError:
    """Return that nothing is there."""
    return refusal(f"Unrecognized request URL ({method}: {path}).", status=404)


def no_key() -> ApiRefusalError:
    """Return that a request has no key."""
    return refusal("You did not provide an API key.", status=401)


def bad_key(key: str) -> ApiRefusalError:
    """Return that a key opens nothing; the answer shows little of it."""
    return refusal(f"Invalid API Key provided: {masked(key)}", status=401)


def no_permission(key: str, account: str, needed: str) -> ApiRefusalError:
    """Return that a restricted key may not do this."""
    message = f"The provided key '{masked(key)}' does not have the required permissions on account '{account}'."
    return refusal(f"{message} Having the '{needed}' permission would allow this request to continue.", status=403)


def no_account(key: str, account: str) -> ApiRefusalError:
    """Return that a key does not reach an account."""
    message = f"The provided key '{masked(key)}' does not have access to account '{account}'"
    return refusal(f"{message} (or that account does not exist).", status=403, code="account_invalid")


def masked(key: str) -> str:
    """Return a key as answers and logs may show it."""
    head = "_".join(key.split("_", 2)[:2])
    return f"{head}_{'*' * 8}{key[-4:]}" if len(key) > 20 else "*" * 8


def limited(reason: str) -> Response:
    """Return the refusal of a request past a rate limit; which one is said in a header."""
    error = refusal("Request rate limit exceeded.", status=429, code="rate_limit")
    return json_response({"error": error.error}, 429, {"Stripe-Rate-Limited-Reason": reason})


def told_to_fail(status: int) -> Response:
    """Return what Stripe sends with a status that a test asked for."""
    if status == 429:
        return limited("global-rate")
    if status == 401:
        return json_response({"error": bad_key("").error}, 401)
    if status == 403:
        return json_response({"error": no_permission("", "acct", "rak_charge_read").error}, 403)
    if status == 409:
        message = "This object cannot be accessed right now because another request is using it."
        return json_response({"error": refusal(message, code="lock_timeout").error}, 409)
    if status < 500:
        return json_response({"error": refusal("The sandbox was told to refuse.").error}, status)
    error = {"message": "An unknown error occurred.", "type": "api_error"}
    return json_response({"error": error}, status)

"""How the vendor says no: its error bodies and statuses, in the forms in which they come. No decision when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

from starlette.responses import HTMLResponse, PlainTextResponse, Response

from kolleno_pipelines.sandbox.xero.rendering import json_text

ErrorForm = Literal["json", "text", "query"]
JSON = "application/json; charset=utf-8"
_TITLES = {401: "Unauthorized", 403: "Forbidden"}
_SENTENCES = {401: "The access token is not valid", 403: "The access token has no right to this resource"}


class ApiRefusalError(Exception):
    """A request that is answered with an error; `response` is the answer."""

    def __init__(self, response: Response) -> None:
        super().__init__(f"status {response.status_code}")
        self.response = response


def json_response(body: object, status: int = 200) -> Response:
    """Return an answer in JSON with amounts exactly as they are."""
    return Response(json_text(body), status_code=status, media_type=JSON)


def validation(*messages: str, elements: Iterable[Mapping[str, Any]] | None = None) -> ApiRefusalError:
    """The request or a part of it is wrong: `elements` are the objects that are, each with its own errors."""
    wrong = list(elements or ({"ValidationErrors": [{"Message": each} for each in messages]},))
    body = {"ErrorNumber": 10, "Type": "ValidationException", "Message": "A validation exception occurred"}
    return ApiRefusalError(json_response(body | {"Elements": wrong}, 400))


def unreadable_query(message: str) -> ApiRefusalError:
    """A `where` or `order` that cannot be read."""
    return ApiRefusalError(json_response({"ErrorNumber": 16, "Type": "QueryParseException", "Message": message}, 400))


def not_implemented(message: str) -> ApiRefusalError:
    """A method that an address does not have."""
    body = {"ErrorNumber": 20, "Type": "ApiMethodNotImplementedException", "Message": message}
    return ApiRefusalError(json_response(body, 404))


def not_found() -> ApiRefusalError:
    """No object with this id: a plain sentence, as the vendor sends it."""
    return ApiRefusalError(PlainTextResponse("The resource you're looking for cannot be found", status_code=404))


def no_json_wanted() -> ApiRefusalError:
    """The vendor would answer XML; the sandbox cannot."""
    text = "Without Accept: application/json Xero answers XML, which this sandbox does not speak."
    return ApiRefusalError(PlainTextResponse(text, status_code=406))


def no_access(status: int, form: ErrorForm = "json", *, expired_at: datetime | None = None) -> ApiRefusalError:
    """401 or 403, in one of the three forms in which the vendor has sent them."""
    return ApiRefusalError(_no_access(status, form, expired_at))


def _no_access(status: int, form: ErrorForm, expired_at: datetime | None = None) -> Response:
    if form == "text":
        return PlainTextResponse(_SENTENCES[status], status_code=status)
    if form == "query":
        text = "oauth_problem=token_expired&oauth_problem_advice=The%20access%20token%20has%20expired"
        return HTMLResponse(text, status_code=status)
    detail = "AuthenticationUnsuccessful" if expired_at is None else f"TokenExpired: token expired at {expired_at}"
    body: dict[str, object] = {
        "Type": None,
        "Title": _TITLES[status],
        "Status": status,
        "Detail": detail,
        "Extensions": {},
    }
    return json_response(body, status)


def told_to_fail(status: int) -> Response:
    """Return what the vendor sends with a status that a test asked for."""
    if status in _TITLES:
        return _no_access(status, "json")
    if status == 429:
        return limited("minute", 1)
    if status == 503:
        text = "oauth_problem=rate%20limit%20exceeded&oauth_problem_advice=please%20wait%20before%20retrying"
        return HTMLResponse(text, status_code=503)
    return PlainTextResponse("An error occurred in Xero. Check the API Status page for outages.", status_code=status)


def limited(problem: str, retry_after: int) -> Response:
    """Return the refusal of a request past a limit; the body is empty."""
    return Response(status_code=429, headers={"Retry-After": str(retry_after), "X-Rate-Limit-Problem": problem})

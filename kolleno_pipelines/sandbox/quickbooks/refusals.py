"""How QuickBooks says no: codes, messages, the two shapes of its error bodies. When it says no belongs elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from kolleno_pipelines.sandbox.quickbooks.wire import Json

VALIDATION, SYSTEM, AUTHENTICATION = "ValidationFault", "SystemFault", "AUTHENTICATION"
AUTHORIZATION, SERVICE = "AuthorizationFault", "SERVICE"


@dataclass(frozen=True)
class _Kind:
    status: int
    type: str
    message: str


_KINDS: dict[int, _Kind] = {
    120: _Kind(403, AUTHORIZATION, "Authorization Failure"),
    500: _Kind(400, VALIDATION, "Unsupported Operation"),
    610: _Kind(400, VALIDATION, "Object Not Found"),
    2010: _Kind(400, VALIDATION, "Request has invalid or unsupported property"),
    2020: _Kind(400, VALIDATION, "Required param missing, need to supply the required value for the API"),
    2080: _Kind(400, VALIDATION, "Invalid Number"),
    2500: _Kind(400, VALIDATION, "Invalid Reference Id"),
    3001: _Kind(429, SERVICE, "ThrottleExceeded"),
    3200: _Kind(401, AUTHENTICATION, "AuthenticationFailed"),
    3201: _Kind(403, AUTHORIZATION, "AuthorizationFailed"),
    4000: _Kind(400, VALIDATION, "Error parsing query"),
    4001: _Kind(400, VALIDATION, "Invalid query"),
    5010: _Kind(400, VALIDATION, "Stale Object Error"),
    6000: _Kind(400, VALIDATION, "A business validation error has occurred while processing your request"),
    6140: _Kind(400, VALIDATION, "Duplicate Document Number Error"),
    6240: _Kind(400, VALIDATION, "Duplicate Name Exists Error"),
    6540: _Kind(400, VALIDATION, "Deposited Transaction cannot be changed"),
    10000: _Kind(500, SYSTEM, "An application error has occurred while processing your request"),
}
#: Codes whose body is the lower-case one, with the code padded to six digits.
LOWER_CASE = frozenset({3001, 3200, 3201})


class QuickBooksRefusal(Exception):  # noqa: N818 - a refusal is what the vendor answers
    """The vendor refuses a request. status: of the answer; None is the usual one of the code."""

    def __init__(self, code: int, detail: str, *, element: str = "", status: int | None = None) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail
        self.element = element
        self.status = status or _KINDS[code].status

    def body(self, time: str) -> Json:
        """Return the vendor's error body."""
        kind = _KINDS[self.code]
        if self.code in LOWER_CASE:
            padded = f"{self.code:06d}"
            message = f"message={kind.message}; errorCode={padded}; statusCode={self.status}"
            error = {"message": message, "detail": self.detail, "code": padded, "element": None}
            return {"warnings": None, "fault": {"error": [error], "type": kind.type}, "time": time}
        told: Json = {"Message": kind.message, "Detail": self.detail, "code": str(self.code)}
        if self.element:
            told["element"] = self.element
        return {"Fault": {"Error": [told], "type": kind.type}, "time": time}


def throttled(status: int = 429) -> QuickBooksRefusal:
    """Return the refusal of a request too many, in the present form (429) or in the older one (403)."""
    return QuickBooksRefusal(3001, "The request limit was reached.", status=status)

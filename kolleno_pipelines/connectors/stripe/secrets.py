"""What of Stripe's objects is a secret, and is taken out before anything is kept. What is read is landing.py's."""

from __future__ import annotations

import re

#: Lets a payer's browser go on with a payment.
_NAME = b"client_secret"
_VALUE = re.compile(rb'("client_secret"\s*:\s*)"(?:[^"\\]|\\.)*"')
#: The address to which a payer is sent on may hold it too.
_IN_ADDRESS = re.compile(rb'(client_secret=)[^"&\\\s]+')


def without_secrets(payload: bytes) -> bytes:
    """Return a payload with null in place of every `client_secret`, however deep it lies, and none in an address."""
    if _NAME not in payload:
        return payload
    return _IN_ADDRESS.sub(rb"\1", _VALUE.sub(rb"\1null", payload))

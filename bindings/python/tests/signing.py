"""Deliveries as the sender signs them."""

from __future__ import annotations

import hashlib
import hmac

SECRET = "whsec_test"
NOW = 1_700_000_000
BODY = b'{"request_id": "0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de", "status": "OK"}'


def sign(body: bytes = BODY, t: float | str = NOW, secret: str = SECRET) -> str:
    """The value of the signature header."""
    t = t if isinstance(t, str) else str(int(t))
    digest = hmac.new(secret.encode(), f"{t}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={t},v1={digest}"

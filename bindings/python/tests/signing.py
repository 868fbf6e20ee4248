"""Deliveries as the sender signs them."""

from __future__ import annotations

import base64
import hashlib
import hmac

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW = 1_700_000_000
BODY = b'{"request_id": "0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de", "status": "OK"}'


def sign(body: bytes = BODY, t: float | str = NOW, secret: str = SECRET) -> str:
    """The value of the signature header."""
    t = t if isinstance(t, str) else str(int(t))
    digest = hmac.new(secret.encode(), f"{t}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={t},v1={digest}"


def standard(
    body: bytes = BODY, t: float = NOW, secret: str = SECRET, id: str = "msg_p5jXN8AQM9LWM0D4loKWxJek"
) -> dict[str, str]:
    """The headers of Standard Webhooks."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{id}.{int(t)}.".encode() + body, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": id, "webhook-timestamp": str(int(t)), "webhook-signature": signature}

"""The token that opens the switching port of a resource's replicas: made from one key, stored nowhere."""

import hashlib
import hmac

SHORTEST = 16
"""Bytes of a key that is taken."""


def token_of(key: bytes, uid: str) -> str:
    """The token of the resource with that uid. Raises ValueError for a key that is too short to be secret."""
    if len(key) < SHORTEST:
        raise ValueError(f"Warm needs a switching key of at least {SHORTEST} bytes, and the operator's has {len(key)}")
    return hmac.new(key, uid.encode(), hashlib.sha256).hexdigest()


def token_digest(token: str) -> str:
    """What the slots file holds of a token: enough to check it, too little to send it."""
    return hashlib.sha256(token.encode()).hexdigest()

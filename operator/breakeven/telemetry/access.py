"""Who may read what the operator serves: whoever has the token."""

import base64
import binascii
import hmac
import logging
from pathlib import Path

log = logging.getLogger(__name__)


def authorized(header: str, token_file: Path, what: str) -> bool:
    """Whether a header Authorization carries the token: as bearer, or as the password of Basic, which browsers ask for.

    The file is read anew each time, since mounted Secrets rotate; while it cannot be read, nobody is authorized.
    """
    try:
        token = token_file.read_bytes().strip()
    except OSError as error:
        log.error("the token for %s cannot be read, so nobody gets it: %s", what, error)
        return False
    scheme, _, given = header.partition(" ")
    offered = given.strip().encode() if scheme.lower() == "bearer" else _password(scheme, given)
    return bool(token) and hmac.compare_digest(offered, token)


def _password(scheme: str, given: str) -> bytes:
    """The password of Basic credentials; empty for anything else."""
    try:
        decoded = base64.b64decode(given.strip(), validate=True) if scheme.lower() == "basic" else b""
    except (binascii.Error, ValueError):
        return b""
    return decoded.partition(b":")[2]

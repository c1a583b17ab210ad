"""Secrets of one lab, made anew with each start."""

import base64
import secrets
from pathlib import Path

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Order of the group of NIST P-256 (SEC 2, section 2.4.2)."""
_VERSION = bytes.fromhex("020101")
_SCALAR = bytes.fromhex("0420")
_CURVE = bytes.fromhex("a00a06082a8648ce3d030107")
"""[0] OBJECT IDENTIFIER prime256v1."""


def write_signing_key(path: Path) -> None:
    """Write an EC P-256 private key in PEM (RFC 5915, without the optional public key, which the API server derives).

    It signs service account tokens.
    """
    scalar = (secrets.randbelow(P256_ORDER - 1) + 1).to_bytes(32, "big")
    body = _VERSION + _SCALAR + scalar + _CURVE
    der = bytes([0x30, len(body)]) + body
    text = base64.encodebytes(der).decode().replace("\n", "")
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    path.touch(mode=0o600)
    path.write_text("\n".join(["-----BEGIN EC PRIVATE KEY-----", *lines, "-----END EC PRIVATE KEY-----", ""]))


def new_token() -> str:
    """A bearer token."""
    return secrets.token_hex(16)

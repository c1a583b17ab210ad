"""Addresses of a Prometheus as RE2 and Python's `re` both read them: what passes can be asked without an exception.

Python's URL functions raise for `http://[::1`, `http://[x]/`, for a port above 65535, an empty or overlong part of a host
name, and for characters that change in normalisation (U+2100 becomes a/c). The schema of the API server cannot call them, so
the pattern says what they take.
"""

_HEX = "[0-9a-fA-F]{1,4}"
_IPV6 = "|".join(
    (
        f"({_HEX}:){{7}}{_HEX}",
        f"({_HEX}:){{1,7}}:",
        f"({_HEX}:){{1,6}}:{_HEX}",
        *(f"({_HEX}:){{1,{6 - n}}}(:{_HEX}){{1,{1 + n}}}" for n in range(1, 6)),
        f":((:{_HEX}){{1,7}}|:)",
    )
)
_NAME = "[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?"
_PORT = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_PATH = "[a-zA-Z0-9/._~!$&()*+,;=:%-]*"

_USER = "([a-zA-Z0-9._~:%-]*@)?"
"""Refused by a rule of its own, in words of its own."""

URL_PATTERN = rf"^(https?://{_USER}({_NAME}(\.{_NAME})*\.?|\[({_IPV6})\])(:{_PORT})?(/{_PATH})?)?$"
"""http or https; a host name, an IPv4 or a bracketed IPv6 address; a port; a path. Or nothing at all."""

"""vLLM version numbers: reading, ordering, and finding one in an image tag."""

import re
from dataclasses import dataclass
from functools import cache

_NUMBER = re.compile(
    r"^v?(\d{1,6})\.(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?(?:[.-]?(post|rc|dev)(\d{1,6}))?(?:[-+_.][A-Za-z0-9._+-]*)?$"
)
_PHASE = {"dev": 0, "rc": 1, "": 2, "post": 3}
_LARGEST_MAJOR = 99
"""A tag such as 2026.11.22 is a date, not a vLLM version."""


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A vLLM version; ordered as releases came out: dev before rc before final before post."""

    major: int
    minor: int
    patch: int
    hotfix: int = 0
    """Fourth number, of 0.10.1.1 alone so far."""
    phase: int = _PHASE[""]
    serial: int = 0

    @classmethod
    def parse(cls, text: str) -> "Version | None":
        """Read `0.33.0`, `v0.33.0`, `0.8.5.post1`, `v0.11.0rc1` or `0.33.0-cu13`; None when it is not a version."""
        match = _NUMBER.match(text.strip())
        if not match or int(match[1]) > _LARGEST_MAJOR:
            return None
        major, minor, patch, hotfix = (int(match[i] or 0) for i in (1, 2, 3, 4))
        return cls(major, minor, patch, hotfix, _PHASE[match[5] or ""], int(match[6] or 0))

    @classmethod
    @cache
    def of(cls, text: str) -> "Version":
        """Read a version that must be one. Raises ValueError when it is not."""
        version = cls.parse(text)
        if version is None:
            raise ValueError(f"{text!r} is no version")
        return version

    def __str__(self) -> str:
        word = next(name for name, place in _PHASE.items() if place == self.phase)
        number = f"{self.major}.{self.minor}.{self.patch}{f'.{self.hotfix}' if self.hotfix else ''}"
        if not word:
            return number
        return f"{number}{'' if word == 'rc' else '.'}{word}{self.serial}"


def version_in_image(image: str) -> Version | None:
    """Version that an image's tag tells; None for a digest without a tag, no tag, or a tag that is no version.

    A registry's port is not a tag: `registry.example:5000/vllm` has none. With tag and digest the tag is read.
    """
    name = image.partition("@")[0].rpartition("/")[2]
    _, colon, tag = name.partition(":")
    return Version.parse(tag) if colon else None

"""vLLM version numbers: reading, ordering, and finding one in an image tag."""

import re
from dataclasses import dataclass, field
from functools import lru_cache

_NUMBER = re.compile(
    r"^v?(\d{1,6})\.(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?(?:[.-]?(post|rc|dev)(\d{1,6}))?(?:\.?(dev\d{1,6}))?"
    r"(?:[-+_.][A-Za-z0-9._+-]*)?$"
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
    build: str = field(default="", compare=False)
    """Development build on the way to a candidate or post release, `dev457`. It does not count in the order."""

    @classmethod
    def parse(cls, text: str) -> "Version | None":
        """Read `0.33.0`, `v0.33.0`, `0.8.5.post1`, `v0.11.0rc1`, `0.26.1rc1.dev457+gc810e5e` or `0.33.0-cu13`.

        None when it is not a version.
        """
        match = _NUMBER.match(text.strip())
        if not match or int(match[1]) > _LARGEST_MAJOR:
            return None
        major, minor, patch, hotfix = (int(match[i] or 0) for i in (1, 2, 3, 4))
        return cls(major, minor, patch, hotfix, _PHASE[match[5] or ""], int(match[6] or 0), match[7] or "")

    @classmethod
    @lru_cache(maxsize=1024)
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
        return f"{number}{'' if word == 'rc' else '.'}{word}{self.serial}{f'.{self.build}' if self.build else ''}"


_VLLMS_OWN = (
    "vllm/vllm-openai",
    "vllm/vllm-openai-cpu",
    "vllm/vllm-openai-rocm",
    "vllm/vllm-openai-xpu",
    "q9t5s3a7/vllm-release-repo",
    "q9t5s3a7/vllm-cpu-release-repo",
    "q9t5s3a7/vllm-arm64-cpu-release-repo",
    "rocm/vllm",
    "rocm/vllm-dev",
)
"""Repositories, and mirrors of them in any registry, whose tags are vLLM's versions: the project's own on Docker Hub
and public.ecr.aws (its release pipeline), and AMD's builds (`v0.14.0_amd_dev`). Everything else numbers itself:
rhaiis 3.2.1, llm-d 0.4.0, ray-llm 2.52.0, lmcache 0.3.9post2, ai-dynamo 0.6.1, and the vllm of AWS, whose 1.0.0 holds
vLLM 0.19.1."""
_NAMED = re.compile(r"(?:^|[-_.+])vllm[-_.]?v?([0-9]+\.[0-9]+\.[0-9]+[A-Za-z0-9.]*)")
"""A tag that says which of its numbers is vLLM's: `rocm7.0.0_vllm_0.11.2_20251210`."""


def version_in_image(image: str) -> Version | None:
    """vLLM's version, when the image tells it; None for a digest, no tag, another word, or another product's number.

    A registry's port is not a tag: `registry.example:5000/vllm` has none. With tag and digest the tag is read.
    """
    path, _, last = image.partition("@")[0].rpartition("/")
    name, colon, tag = last.partition(":")
    if not colon:
        return None
    named = _NAMED.search(tag)
    if named is not None:
        return Version.parse(named[1])
    owned = any(f"/{path}/{name}".endswith(f"/{repository}") for repository in _VLLMS_OWN)
    return Version.parse(tag) if owned else None

"""Bodies of the OpenAI-style answers. The text is filler, and says so."""

import json
from dataclasses import dataclass
from random import Random
from typing import Any

from breakeven.lab.engine.core import Request
from breakeven.lab.engine.wording import LIKELIEST, Wording, logprobs


@dataclass(frozen=True, slots=True)
class Asked:
    """What one HTTP request asked for, after checking."""

    request: Request
    chat: bool
    stream: bool
    include_usage: bool
    model: str
    identity: str
    created: int
    prompt: str = ""
    """Decides the words of an answer that is not streamed."""
    logprobs: int | None = None
    """How many of the likeliest tokens are wanted in each place. None: no log-probabilities."""

    @property
    def _kind(self) -> str:
        if not self.chat:
            return "text_completion"
        return "chat.completion.chunk" if self.stream else "chat.completion"

    def _envelope(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self.identity,
            "object": self._kind,
            "created": self.created,
            "model": self.model,
            "choices": choices,
            "system_fingerprint": "simulated-engine",
        }

    def usage(self) -> dict[str, int]:
        """Token counts so far."""
        prompt, generated = self.request.prompt_tokens, self.request.generated
        return {"prompt_tokens": prompt, "completion_tokens": generated, "total_tokens": prompt + generated}

    def whole(self, wording: Wording, rng: Random) -> dict[str, Any]:
        """The answer of a request that did not stream."""
        words = wording.words(self.prompt, self.request.generated)
        text = "".join(words)
        known = None if self.logprobs is None else logprobs(words, self.logprobs, rng)
        choice: dict[str, Any] = {"index": 0, "logprobs": known, "finish_reason": self.request.finish_reason}
        choice |= {"message": {"role": "assistant", "content": text}} if self.chat else {"text": text}
        return self._envelope([choice]) | {"usage": self.usage()}

    def opening(self) -> bytes:
        """The event with which a chat stream begins, before any token; nothing for a completion."""
        if not self.chat:
            return b""
        choice = {"index": 0, "logprobs": None, "finish_reason": None, "delta": {"role": "assistant", "content": ""}}
        return event(self._envelope([choice]))

    def chunk(self, tokens: int, *, finish_reason: str | None = None) -> bytes:
        """One server-sent event with the tokens of one engine step."""
        text = LIKELIEST * tokens
        choice: dict[str, Any] = {"index": 0, "logprobs": None, "finish_reason": finish_reason}
        choice |= {"delta": {"content": text} if tokens else {}} if self.chat else {"text": text}
        return event(self._envelope([choice]))

    def last(self) -> bytes:
        """What follows the final chunk: the usage if it was asked for, and the end mark."""
        tail = event(self._envelope([]) | {"usage": self.usage()}) if self.include_usage else b""
        return tail + b"data: [DONE]\n\n"


def event(body: dict[str, Any]) -> bytes:
    """One server-sent event."""
    return f"data: {json.dumps(body, separators=(',', ':'))}\n\n".encode()


def problem(message: str, kind: str, code: int) -> dict[str, Any]:
    """An error body as vLLM writes it."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}

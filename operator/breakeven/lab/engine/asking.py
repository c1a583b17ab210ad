"""Reading a completion request: what a client may ask, and how it is turned down."""

import math
import time
import uuid
from collections.abc import Mapping
from random import Random
from typing import Any

from breakeven.lab.engine.answers import Asked
from breakeven.lab.engine.core import Request

DEFAULT_COMPLETION_TOKENS = 16
_MAX_LOGPROBS = 20
"""vLLM's default of --max-logprobs."""
_NATURAL_MEDIAN = 200
_NATURAL_SPREAD = 0.6


class BadRequest(Exception):
    """Turned down with this status and error type."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


def read(
    body: Mapping[str, Any], *, chat: bool, served: tuple[str, ...], max_model_len: int, speculates: bool, rng: Random
) -> Asked:
    """Check one body. Raises BadRequest.

    Without `ignore_eos` an output ends by itself after a log-normal length (median 200 tokens, assumed).
    """
    model = str(body.get("model") or served[0])
    if model not in served:
        raise BadRequest(404, "NotFoundError", f"The model `{model}` does not exist.")
    if int(body.get("n") or 1) != 1:
        raise BadRequest(400, "BadRequestError", "the simulated engine gives one choice: n must be 1")
    for key in ("min_p", "logit_bias"):
        if speculates and body.get(key):
            raise BadRequest(400, "BadRequestError", f"{key} is not supported with speculative decoding.")
    prompt = _prompt_tokens(body, chat=chat)
    limit = _output_limit(body, room=max_model_len - prompt, chat=chat)
    temperature = body.get("temperature")
    natural = max(1, int(rng.lognormvariate(math.log(_NATURAL_MEDIAN), _NATURAL_SPREAD)))
    stream = bool(body.get("stream"))
    request = Request(
        prompt_tokens=prompt,
        max_tokens=limit,
        temperature=_temperature(1.0 if temperature is None else temperature),
        stop_at=None if body.get("ignore_eos") else max(natural, int(body.get("min_tokens") or 0)),
        streamed=stream,
    )
    return Asked(
        request=request,
        chat=chat,
        stream=stream,
        include_usage=bool((body.get("stream_options") or {}).get("include_usage")),
        model=model,
        identity=("chatcmpl-" if chat else "cmpl-") + uuid.uuid4().hex,
        created=int(time.time()),
        prompt=str(body.get("messages") if chat else body.get("prompt")),
        logprobs=None if chat or body.get("logprobs") is None else _logprobs(body["logprobs"]),
    )


def _output_limit(body: Mapping[str, Any], *, room: int, chat: bool) -> int:
    """`max_tokens` in force: 16 for a completion, all the room for a chat, unless the body says."""
    asked = body.get("max_completion_tokens") or body.get("max_tokens") or (room if chat else DEFAULT_COMPLETION_TOKENS)
    limit = _integer("max_tokens", asked)
    if limit < 1 or limit > room:
        raise BadRequest(
            400,
            "BadRequestError",
            f"max_tokens: {limit} output tokens were requested, and the model's context has room for {max(room, 0)} "
            "after the prompt.",
        )
    return limit


def _prompt_tokens(body: Mapping[str, Any], *, chat: bool) -> int:
    """Length of the prompt: token ids are counted, text is taken as four bytes a token."""
    if chat:
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise BadRequest(400, "BadRequestError", "messages: a non-empty list is required")
        text = "".join(str(message.get("content") or "") for message in messages)
        return 4 * len(messages) + _text_tokens(text)
    prompt = body.get("prompt")
    if isinstance(prompt, list) and prompt and all(isinstance(token, int) for token in prompt):
        return len(prompt)
    if isinstance(prompt, str):
        return _text_tokens(prompt)
    raise BadRequest(400, "BadRequestError", "prompt: the simulated engine takes one text or one list of token ids")


def _text_tokens(text: str) -> int:
    return max(1, len(text.encode()) // 4)


def _logprobs(asked: Any) -> int:
    wanted = _integer("logprobs", asked)
    if not 0 <= wanted <= _MAX_LOGPROBS:
        raise BadRequest(400, "BadRequestError", f"logprobs: {wanted} is not between 0 and {_MAX_LOGPROBS}")
    return wanted


def _integer(name: str, value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise BadRequest(400, "BadRequestError", f"{name}: not an integer") from None


def _temperature(value: Any) -> float:
    try:
        temperature = float(value)
    except (TypeError, ValueError):
        raise BadRequest(400, "BadRequestError", "temperature: not a number") from None
    if temperature < 0:
        raise BadRequest(400, "BadRequestError", f"temperature must be non-negative, got {temperature}.")
    return temperature

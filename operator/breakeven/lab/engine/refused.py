"""How a configuration ends the process, as the real server would."""


class Refused(Exception):
    """The engine does not start. `code` is the exit status: 2 from the argument parser, 1 from everything later."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def validation_error(where: str, problem: str, *, model: str = "SpeculativeConfig") -> Refused:
    """A pydantic error about one field, worded as vLLM prints it."""
    head = f"pydantic_core._pydantic_core.ValidationError: 1 validation error for {model}"
    return Refused(1, f"{head}\n{where}\n  {problem}")


def value_error(problem: str) -> Refused:
    """A pydantic error about the whole of `SpeculativeConfig`."""
    head = "pydantic_core._pydantic_core.ValidationError: 1 validation error for SpeculativeConfig"
    return Refused(1, f"{head}\n  Value error, {problem} [type=value_error]")


def engine_core_failed(cause: str) -> Refused:
    """A failure that the real server finds only when its engine process starts."""
    failed = (
        "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {'EngineCore': 1}"
    )
    return Refused(1, f"{cause}\n{failed}")

"""`lab.json`: what a running lab says about itself. Readable by its owner only, for it holds tokens."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from breakeven.lab.errors import LabError
from breakeven.lab.reap import start_ticks

FILE = "lab.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabState:
    """One lab."""

    name: str
    identity: str
    """Marks every process of this lab in its environment; new with each start."""
    pid: int
    """Of the process that runs the lab."""
    started: int
    """Its start in clock ticks since boot: a pid alone may have been given to another process since."""
    block: str
    """First address of its loopback block, such as 127.64.0.0."""
    server: str
    prometheus: str
    kubeconfig: str
    control: str
    """URL of the lab's own control port."""
    token: str
    """Bearer token of that port."""

    def alive(self) -> bool:
        """Whether the process that runs the lab is still that process."""
        return start_ticks(self.pid) == self.started


def write_state(directory: Path, state: LabState) -> None:
    """Write `lab.json` in one step, mode 0600."""
    scratch = directory / f".{FILE}"
    scratch.touch(mode=0o600)
    scratch.write_text(json.dumps(asdict(state), indent=2) + "\n")
    scratch.replace(directory / FILE)


def read_state(directory: Path) -> LabState:
    """Read `lab.json`. Raises LabError when there is no lab or the file is of another release."""
    try:
        raw = json.loads((directory / FILE).read_text())
        return LabState(**raw)
    except FileNotFoundError:
        raise LabError(f"no lab in {directory}: `breakeven lab up --name {directory.name}`") from None
    except (ValueError, TypeError) as error:
        raise LabError(f"{directory / FILE} cannot be read ({error}): `breakeven lab down` removes it") from error

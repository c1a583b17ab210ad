"""The lab's last guard: waits for the lab's process to be gone, however it went, then kills what it left.

`python -m breakeven.lab.watch IDENTITY`, its standard input a pipe that only the lab's process holds.
"""

import signal
import sys

from breakeven.lab.reap import VARIABLE, sweep


def main() -> int:
    """Wait for the end of standard input, then sweep."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    sweep(VARIABLE, sys.argv[1])
    return 0


if __name__ == "__main__":
    sys.exit(main())

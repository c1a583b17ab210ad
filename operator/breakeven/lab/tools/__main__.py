"""`python3 -m breakeven.lab.tools [--set demo|test|NAME] [--print]`: what `make tools` runs."""

import argparse
import sys

from breakeven.lab.tools.build import build
from breakeven.lab.tools.debian import PROGRAMS, take
from breakeven.lab.tools.pins import ToolsMissingError, load


def main() -> int:
    """Build what is missing and list where everything is; 1 when that fails."""
    parser = argparse.ArgumentParser(
        prog="breakeven.lab.tools",
        description="Find or build etcd, the Kubernetes control plane and Prometheus from pinned Go modules, "
        "and take HAProxy and Chromium out of Debian's packages.",
    )
    parser.add_argument("--set", default="test", help="demo, test, or one binary by name (default: test)")
    parser.add_argument("--quiet", action="store_true", help="list nothing when all is there")
    arguments = parser.parse_args()
    try:
        paths = build(load(), arguments.set) if arguments.set not in PROGRAMS else {}
        for name, program in PROGRAMS.items():
            if arguments.set in ("test", name):
                paths[name] = take(program)
    except ToolsMissingError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("stopped; what was built stays, run again to go on\n")
        return 130
    if not arguments.quiet:
        for name, path in paths.items():
            sys.stdout.write(f"{name:<24} {path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

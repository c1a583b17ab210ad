"""A lab's own block of loopback addresses, 127.x.0.0/16, so that labs side by side share no address.

The kernel does the locking: the lab holds the block by listening on its first address at the kubelet's port, which no
other lab can then do, and which ends with the lab however it ends.
"""

import socket
import sys
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from breakeven.lab.errors import LabError

KUBELET_PORT = 10250
FIRST, LAST = 64, 191
"""Second octet of the blocks. 127.0.x.x to 127.63.x.x are left to resolvers and other software."""
BACKLOG = 128


@dataclass(slots=True)
class Block:
    """127.x.0.0/16. Node: 127.x.0.1, hollow pods: 127.x.0.2, pods: from 127.x.1.1, Services: 127.x.128.0/17."""

    octet: int
    listener: socket.socket
    """Already listening on the node's address; the kubelet's server takes it over."""
    _next: int = 0
    _used: set[str] = field(default_factory=set)

    @property
    def base(self) -> str:
        """First address."""
        return f"127.{self.octet}.0.0"

    @property
    def node(self) -> str:
        """Address of the nodes and of every component."""
        return f"127.{self.octet}.0.1"

    @property
    def hollow(self) -> str:
        """Address that all hollow pods share."""
        return f"127.{self.octet}.0.2"

    @property
    def services(self) -> str:
        """Range of cluster IPs."""
        return f"127.{self.octet}.128.0/17"

    def take(self) -> str:
        """A pod address not in use, the one given back longest ago last. Raises LabError when all are taken."""
        size = 127 * 254
        for _ in range(size):
            third, fourth = divmod(self._next, 254)
            self._next = (self._next + 1) % size
            address = f"127.{self.octet}.{third + 1}.{fourth + 1}"
            if address not in self._used:
                self._used.add(address)
                return address
        raise LabError(f"no pod address left in {self.base}/16")

    def give_back(self, address: str) -> None:
        """The pod is gone."""
        self._used.discard(address)

    def port(self, preferred: int) -> int:
        """The preferred port of the node's address if it is free, else any free one.

        Only processes of this lab listen on the block, so it stays free until used.
        """
        for port in (preferred, 0):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((self.node, port))
                except OSError:
                    continue
                return int(probe.getsockname()[1])
        raise LabError(f"no free port on {self.node}")


def reserve() -> Block:
    """Take the first block that nobody holds.

    Raises LabError on another system than Linux, where not all of 127.0.0.0/8 answers, or when all are taken.
    """
    if sys.platform != "linux":
        raise LabError("the lab needs Linux: other systems do not answer on all of 127.0.0.0/8")
    for octet in range(FIRST, LAST + 1):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((str(IPv4Address(f"127.{octet}.0.1")), KUBELET_PORT))
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            continue
        return Block(octet, listener)
    raise LabError(f"every block 127.{FIRST}.0.0/16 to 127.{LAST}.0.0/16 is held by a lab: `breakeven lab status`")

"""kopf's settings, each with its reason."""

import kopf

from breakeven.api.names import MANAGED_BY


def settings(*, grace_s: float) -> kopf.OperatorSettings:
    """Settings of the watches and of the end of the process."""
    made = kopf.OperatorSettings()
    # No other operator to make way for: our own Lease decides who writes.
    made.peering.standalone = True
    # A watch is renewed every five minutes whether or not it is silent; kopf's own limit on silence stays on top.
    made.watching.server_timeout = 300
    made.watching.client_timeout = 310
    made.watching.connect_timeout = 10
    # A page is decoded as a whole, and what that takes stays with the process.
    made.watching.chunk_size = 50
    # Without selectors every pod of the cluster would be streamed to us.
    for kind in ("deployments.apps", "pods", "services"):
        made.watching.label_selectors[kind] = f"{MANAGED_BY}=breakeven"
    # The default of five minutes would hide a hanging API server.
    made.networking.request_timeout = 20
    made.networking.connect_timeout = 5
    # Handlers only enqueue. A worker stays with its object for the idle time, so a limit would let through only so many
    # objects per idle time: 32 workers and the default of 5 s made a thousand changed objects wait for minutes.
    made.queueing.worker_limit = None
    made.queueing.idle_timeout = 0.5
    # Ours are posted by our own adapter; kopf's would repeat log lines.
    made.posting.enabled = False
    # Below the grace period of the pod, or the kubelet is first.
    made.process.ultimate_exiting_timeout = grace_s + 15
    return made

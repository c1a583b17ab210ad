"""The embedded cluster: a real control plane on loopback, fake GPU nodes, a process kubelet."""

"""Kubeconfig files of the lab's users."""

import base64
from pathlib import Path

import yaml


def write_kubeconfig(path: Path, *, server: str, authority: Path, token: str, user: str, lab: str) -> Path:
    """Write one with the certificate inside, so that it may be copied. Mode 0600. Returns the path.

    authority: the API server's own certificate, which it signed itself.
    """
    context = f"lab-{lab}"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": context,
                "cluster": {
                    "server": server,
                    "certificate-authority-data": base64.b64encode(authority.read_bytes()).decode(),
                },
            }
        ],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": user}}],
        "current-context": context,
    }
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path

"""How kopf gets in: the service account's token, or a kubeconfig in development."""

import asyncio
import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import kopf
import yaml

_LIFETIME = timedelta(minutes=10)
"""Projected tokens rotate within an hour. A login that expires is renewed before a 401 can end the watches: streams
reopen from the last version, and nothing is listed again."""
_PAUSE_S = 1.0
"""kopf asks again at once when a login is refused; without a pause that is a hot loop."""


def register(registry: kopf.OperatorRegistry, kubeconfig: Path | None) -> None:
    """Log in explicitly: the client package reads KUBECONFIG only once, at import."""
    attempts = 0

    async def login(settings: kopf.OperatorSettings, **_: Any) -> kopf.ConnectionInfo | None:
        nonlocal attempts
        if attempts:
            await asyncio.sleep(_PAUSE_S)
        attempts += 1
        found = from_file(kubeconfig) if kubeconfig else kopf.login_with_service_account(settings=settings)
        if found is None:
            raise kopf.LoginError("no service account token, and no kubeconfig was given")
        return dataclasses.replace(found, expiration=datetime.now(UTC) + _LIFETIME)

    kopf.on.login(registry=registry, id="login", errors=kopf.ErrorsMode.PERMANENT)(login)


def from_file(path: Path) -> kopf.ConnectionInfo:
    """Read the current context of a kubeconfig; paths in it are relative to the file.

    Raises
    ------
    kopf.LoginError
        If the file has no current context.
    """
    config = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    try:
        context = _named(config, "contexts", "context", config["current-context"])
        cluster = _named(config, "clusters", "cluster", context["cluster"])
        user = _named(config, "users", "user", context["user"])
    except KeyError as error:
        raise kopf.LoginError(f"{path} has no {error.args[0]}") from error
    if "exec" in user:
        raise kopf.LoginError(f"{path}: credential plugins are not supported; use a token or a client certificate")
    token_file = _path(path, user.get("tokenFile"))
    return kopf.ConnectionInfo(
        server=cluster["server"],
        ca_path=_path(path, cluster.get("certificate-authority")),
        ca_data=cluster.get("certificate-authority-data"),
        insecure=cluster.get("insecure-skip-tls-verify"),
        certificate_path=_path(path, user.get("client-certificate")),
        certificate_data=user.get("client-certificate-data"),
        private_key_path=_path(path, user.get("client-key")),
        private_key_data=user.get("client-key-data"),
        token=user.get("token") or (token_file.read_text(encoding="utf-8").strip() if token_file else None),
        username=user.get("username"),
        password=user.get("password"),
        default_namespace=context.get("namespace"),
    )


def _named(config: Any, many: str, one: str, name: str) -> Any:
    found = next((i[one] for i in config.get(many) or [] if i["name"] == name), None)
    if found is None:
        raise KeyError(f"{one} named {name!r}")
    return found


def _path(base: Path, name: str | None) -> Path | None:
    return base.parent / Path(name).expanduser() if name else None

"""Kubeconfigs of service accounts and other users, with the rights that RBAC gives them and no more."""

import re
from pathlib import Path
from typing import Any

import yaml

from breakeven.lab.controlplane.client import ApiClient, ApiError
from breakeven.lab.controlplane.plane import ControlPlane

SERVICE_ACCOUNT = re.compile(r"system:serviceaccount:([a-z0-9-]+):([a-z0-9.-]+)")
TOKEN_SECONDS = 86400


class Accounts:
    """Writes kubeconfigs into the lab's directory."""

    def __init__(self, client: ApiClient, plane: ControlPlane) -> None:
        self._client = client
        self._plane = plane

    async def kubeconfig(self, user: str, groups: list[str]) -> Path:
        """Of a service account (made when missing), or of any other user by impersonation. Raises ApiError."""
        if match := SERVICE_ACCOUNT.fullmatch(user):
            namespace, name = match.groups()
            await self._create("/api/v1/namespaces", {"metadata": {"name": namespace}})
            await self._create(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": name}})
            return await self.service_account(namespace, name)
        return self._impersonating(user, groups)

    async def _create(self, path: str, body: dict[str, Any]) -> None:
        try:
            await self._client.post(path, body)
        except ApiError as error:
            if error.status != 409:
                raise

    async def service_account(self, namespace: str, name: str) -> Path:
        """Of a service account that exists, with a token asked for as its pods would get one. Raises ApiError."""
        answer = await self._client.post(
            f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token",
            {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                "spec": {"expirationSeconds": TOKEN_SECONDS},
            },
        )
        user = f"system:serviceaccount:{namespace}:{name}"
        return self._plane.write_kubeconfig(
            self._plane.layout.kubeconfig(user), user=user, token=answer["status"]["token"]
        )

    def _impersonating(self, user: str, groups: list[str]) -> Path:
        path = self._plane.write_kubeconfig(
            self._plane.layout.kubeconfig(f"as-{user}"), user=user, token=self._plane.tokens["lab-admin"]
        )
        content = yaml.safe_load(path.read_text())
        content["users"][0]["user"] |= {"as": user} | ({"as-groups": groups} if groups else {})
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        return path

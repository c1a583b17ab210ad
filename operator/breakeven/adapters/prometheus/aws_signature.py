"""Requests signed for AWS (Signature Version 4), as its managed Prometheus asks for.

`awscrt`, AWS's own runtime, signs and finds the credentials. It is an extra of the package (`breakeven[aws]`), imported
when a region is named; the image has it. `botocore` cannot be installed beside the client library of Kubernetes: they
want different `python-dateutil`.
"""

import hashlib
from collections.abc import Iterator
from concurrent.futures import TimeoutError as NoAnswer
from typing import Any
from urllib.parse import urlsplit

import requests

from breakeven.adapters.prometheus.errors import Unreachable

SERVICE = "aps"
"""Amazon Managed Service for Prometheus, as signatures name it
(https://docs.aws.amazon.com/prometheus/latest/userguide/AMP-onboard-query-APIs.html)."""
TIMEOUT_S = 10.0
"""For what gives the credentials: AWS's token service, the agent of EKS, or the node."""

NONE = "no credentials of AWS to sign with; give the operator's service account a role, or a Secret with a file of them"


class AwsSignature:
    """Signatures for one region, with what the process has been given: the first of environment, file, role of the
    service account (IRSA), EKS Pod Identity and node that has credentials, as in AWS's own tools. They are kept until
    shortly before they end."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._provider: Any = None

    def headers(self, request: requests.PreparedRequest) -> Iterator[tuple[str, str]]:
        """What signs a request as it is now.

        Raises
        ------
        Unreachable
            If `awscrt` is missing, or there are no credentials.
        """
        try:
            from awscrt.auth import AwsCredentialsProvider, AwsSigningConfig, aws_sign_request
            from awscrt.exceptions import AwsCrtError
            from awscrt.http import HttpHeaders, HttpRequest
        except ImportError:
            raise Unreachable("awscrt is not installed: install breakeven[aws]") from None
        host, body = urlsplit(str(request.url)).netloc.rpartition("@")[2], request.body or b""
        unsigned = HttpRequest(str(request.method), request.path_url, HttpHeaders([("Host", host)]))
        try:
            self._provider = self._provider or AwsCredentialsProvider.new_default_chain()
            how = AwsSigningConfig(
                credentials_provider=self._provider,
                region=self._region,
                service=SERVICE,
                signed_body_value=hashlib.sha256(body.encode() if isinstance(body, str) else body).hexdigest(),
            )
            signed = aws_sign_request(unsigned, how).result(TIMEOUT_S)
        except AwsCrtError as error:  # its text may have parts of what a server answered
            raise Unreachable(f"{NONE}: {error.name}") from None
        except NoAnswer:
            raise Unreachable(f"{NONE}: no answer in {TIMEOUT_S:.0f} s") from None
        yield from ((name, value) for name, value in signed.headers if name != "Host")

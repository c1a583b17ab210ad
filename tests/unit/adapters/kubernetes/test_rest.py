"""Requests over loopback: paths, bodies, and what each failure means."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio import client as kube
from tests.support.world import FakeClock

from breakeven.adapters.kubernetes.cluster import KubernetesCluster
from breakeven.adapters.kubernetes.events import KubernetesEvents
from breakeven.adapters.kubernetes.rest import Rest
from breakeven.api.base import API_VERSION, KIND
from breakeven.control.cache import Cache
from breakeven.control.errors import Conflict, Gone, Refused, Retry

DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "d", "namespace": "ns", "uid": "u", "resourceVersion": "7"},
}


class Api:
    """Answers what it is told and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], Any, str]] = []
        self.answers: list[tuple[int, Any]] = []
        self.headers: dict[str, str] = {}

    async def handle(self, request: web.Request) -> web.Response:
        text = await request.text()
        query = dict(request.query.items())
        content = request.headers.get("Content-Type", "")
        self.asked.append((request.method, request.path, query, json.loads(text) if text else None, content))
        status, body = self.answers.pop(0) if self.answers else (200, {"metadata": {}, "items": []})
        if isinstance(body, bytes):
            return web.Response(body=body, status=status, content_type="text/html", headers=self.headers)
        return web.json_response(body, status=status, headers=self.headers)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    served = Api()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", served.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    configuration = kube.Configuration(host=f"http://127.0.0.1:{runner.addresses[0][1]}")
    served.rest = Rest(kube.ApiClient(configuration), timeout_s=5)  # type: ignore[attr-defined] # for the tests
    yield served
    await served.rest.close()  # type: ignore[attr-defined] # as above
    await runner.cleanup()


def rest_of(api: Api) -> Rest:
    return api.rest  # type: ignore[attr-defined, no-any-return] # as above


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, Retry),
        (403, Refused),
        (404, Gone),
        (409, Conflict),
        (422, Refused),
        (429, Retry),
        (500, Retry),
        (503, Retry),
    ],
)
async def test_status_says_what_to_do_next(api: Api, status: int, error: type[Exception]) -> None:
    api.answers = [(status, {"message": "because"})]
    with pytest.raises(error, match="because") as caught:
        await KubernetesCluster(rest_of(api)).get("v1", "Service", "ns", "a")
    assert type(caught.value) is error


async def test_a_body_that_no_schema_takes_is_refused_though_the_server_calls_it_its_own_error(api: Api) -> None:
    words = (
        "failed to create typed patch object (ns/a; apps/v1, Kind=Deployment): .spec.x: field not declared in schema"
    )
    api.answers = [(500, {"message": words})]
    with pytest.raises(Refused, match="field not declared in schema"):
        await KubernetesCluster(rest_of(api)).get("v1", "Service", "ns", "a")


async def test_retry_after_is_honoured(api: Api) -> None:
    api.answers, api.headers = [(429, {})], {"Retry-After": "7"}
    with pytest.raises(Retry) as caught:
        await KubernetesCluster(rest_of(api)).get("v1", "Service", "ns", "a")
    assert caught.value.after_s == 7


async def test_nobody_listening_is_a_retry() -> None:
    rest = Rest(kube.ApiClient(kube.Configuration(host="http://127.0.0.1:1")), timeout_s=2)
    with pytest.raises(Retry):
        await KubernetesCluster(rest).get("v1", "Service", "ns", "a")
    await rest.close()


async def test_apply_goes_under_one_field_manager_and_wins(api: Api) -> None:
    meta = {"name": "d", "namespace": "ns", "uid": "u", "resourceVersion": "7"}
    manifest = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta}
    api.answers = [(200, {**manifest, "metadata": {**meta, "managedFields": [1]}})]
    answer = await KubernetesCluster(rest_of(api)).apply(manifest)
    method, path, query, body, content = api.asked[0]
    assert (method, path) == ("PATCH", "/apis/apps/v1/namespaces/ns/deployments/d")
    assert query == {"fieldManager": "breakeven", "force": "true"}
    assert body == manifest
    assert content == "application/apply-patch+yaml"
    assert "managedFields" not in answer["metadata"]


async def test_apply_that_creates_is_refused_where_something_is_there(api: Api) -> None:
    manifest = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": "ns"}}
    api.answers = [(409, {"message": "the object has been modified"})]
    with pytest.raises(Conflict):
        await KubernetesCluster(rest_of(api)).apply(manifest)
    assert api.asked[0][3]["metadata"] == {"name": "d", "namespace": "ns", "resourceVersion": "1"}


async def test_delete_names_the_very_object(api: Api) -> None:
    api.answers = [(200, {})]
    await KubernetesCluster(rest_of(api)).delete(DEPLOYMENT)
    assert api.asked[0][3]["preconditions"] == {"uid": "u", "resourceVersion": "7"}


async def test_status_is_applied_on_its_subresource(api: Api) -> None:
    manifest = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "r", "namespace": "ns"}}
    api.answers = [(200, {**manifest, "metadata": {"name": "r", "namespace": "ns", "resourceVersion": "1"}})]
    await KubernetesCluster(rest_of(api)).apply_status(manifest)
    assert api.asked[0][1] == "/apis/breakeven.dev/v1alpha1/namespaces/ns/speculativedeployments/r/status"


async def test_long_lists_come_page_by_page_and_whole(api: Api) -> None:
    api.answers = [
        (200, {"metadata": {"continue": "next"}, "items": [{"metadata": {"name": "a", "resourceVersion": "1"}}]}),
        (200, {"metadata": {}, "items": [{"metadata": {"name": "b", "resourceVersion": "2"}}]}),
    ]
    found = await KubernetesCluster(rest_of(api)).list("v1", "Pod", "", "a=b")
    assert [(o["kind"], o["metadata"]["name"]) for o in found] == [("Pod", "a"), ("Pod", "b")]
    assert [a[1] for a in api.asked] == ["/api/v1/pods"] * 2
    assert api.asked[1][2] == {"limit": "50", "labelSelector": "a=b", "continue": "next"}


async def test_of_a_page_only_what_is_kept_outlives_it(api: Api) -> None:
    engine = {"name": "engine", "args": ["x"]}
    pod = {"metadata": {"name": "a", "resourceVersion": "1"}, "spec": {"nodeName": "n", "containers": [engine]}}
    api.answers = [
        (
            200,
            {
                "metadata": {},
                "items": [pod, {"metadata": {"name": "odd", "resourceVersion": "2"}, "spec": {"containers": 3}}],
            },
        )
    ]
    kept, odd = await KubernetesCluster(rest_of(api), Cache().slim).list("v1", "Pod", "", "a=b")
    assert kept["spec"] == {"nodeName": "n", "containers": [{"name": "engine"}]}
    assert odd["spec"] == {"containers": 3}, "what cannot be taken in is told by name where it is taken in"


async def test_deleting_what_is_gone_is_fine(api: Api) -> None:
    api.answers = [(404, {})]
    await KubernetesCluster(rest_of(api)).delete(DEPLOYMENT)


async def test_kind_that_is_not_served_is_told_from_one_that_is(api: Api) -> None:
    api.answers = [(404, {}), (200, {"resources": [{"kind": "PodMonitor"}]})]
    cluster = KubernetesCluster(rest_of(api))
    assert not await cluster.serves("monitoring.coreos.com/v1", "PodMonitor")
    assert await cluster.serves("monitoring.coreos.com/v1", "PodMonitor")


WRONG_ANSWERS = [
    {},
    [],
    7,
    b"",
    b"<html>Please log in</html>",
    b"[" * 100_000,
    b"\xff",
    {"items": None, "metadata": {}},
    {"items": ["x"], "metadata": {}},
    {"items": [{}], "metadata": {}},
    {"items": [{"metadata": {"name": 5, "resourceVersion": "1"}}], "metadata": {}},
    {"items": [], "metadata": {"continue": ["next"]}},
]


@pytest.mark.parametrize("wrong", WRONG_ANSWERS, ids=lambda wrong: repr(wrong)[:40])
async def test_success_with_anything_but_what_was_asked_for_is_tried_again(api: Api, wrong: Any) -> None:
    cluster = KubernetesCluster(rest_of(api))
    manifest = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": "ns"}}
    api.answers = [(200, wrong)] * 4
    with pytest.raises(Retry):
        await cluster.list("v1", "Pod", "", "")
    with pytest.raises(Retry):
        await cluster.get("v1", "Service", "ns", "a")
    with pytest.raises(Retry):
        await cluster.apply(manifest)
    with pytest.raises(Retry):
        await cluster.serves("monitoring.coreos.com/v1", "PodMonitor")


async def test_a_listing_whose_pages_do_not_end_is_tried_again(api: Api) -> None:
    api.answers = [(200, {"metadata": {"continue": "next"}, "items": []})] * 3
    with pytest.raises(Retry, match="do not end"):
        await KubernetesCluster(rest_of(api)).list("v1", "Pod", "", "")


@pytest.mark.parametrize("body", [b"<html>bad gateway</html>", b"[" * 100_000, b"\xff"])
async def test_an_error_page_is_explained_by_its_beginning(api: Api, body: bytes) -> None:
    api.answers = [(502, body)]
    with pytest.raises(Retry) as caught:
        await KubernetesCluster(rest_of(api)).get("v1", "Service", "ns", "a")
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize(("header", "seconds"), [("7", 7), ("99999999", 300), ("²", None), ("soon", None), ("", None)])
async def test_retry_after_is_a_bounded_number_of_seconds(api: Api, header: str, seconds: float | None) -> None:
    api.answers, api.headers = [(503, {})], {"Retry-After": header}
    with pytest.raises(Retry) as caught:
        await KubernetesCluster(rest_of(api)).get("v1", "Service", "ns", "a")
    assert caught.value.after_s == seconds


async def test_the_clock_of_the_api_server_is_passed_on(api: Api) -> None:
    heard: list[float] = []
    rest = Rest(rest_of(api)._api, heard=heard.append)
    for date in ("Thu, 26 Nov 2026 01:00:00 GMT", "soon"):
        api.headers = {"Date": date}
        await KubernetesCluster(rest).list("v1", "Pod", "", "")
    assert heard == [1795654800.0]


async def test_call_that_is_not_declared_fails(api: Api) -> None:
    with pytest.raises(KeyError, match="no right to get Secret"):
        await KubernetesCluster(rest_of(api)).get("v1", "Secret", "ns", "a")
    with pytest.raises(KeyError, match="no right to delete Pod"):
        await KubernetesCluster(rest_of(api)).delete({**DEPLOYMENT, "apiVersion": "v1", "kind": "Pod"})
    assert api.asked == []


async def test_event_tells_about_the_resource_and_its_failure_is_swallowed(api: Api) -> None:
    events = KubernetesEvents(rest_of(api), FakeClock(), instance="me")
    about = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "r", "namespace": "ns", "uid": "u"}}
    api.answers = [(200, {}), (403, {})]
    await events.post(about, warning=True, reason="Disable", message="x" * 2000)
    await events.post(about, warning=False, reason="Promote", message="y")
    body = api.asked[0][3]
    assert body["involvedObject"]["uid"] == "u"
    assert (body["type"], body["reason"], len(body["message"])) == ("Warning", "Disable", 1024)

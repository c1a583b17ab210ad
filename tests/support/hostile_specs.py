"""Specs that admission takes and that are as odd as it allows: names, values and overrides at the edges of a pod."""

import random
from collections.abc import Iterator
from typing import Any

NAMES = ["A", "a.b", "a-b", "_x", "1A", "A B", "A=B", "é", "$(A)", "..", ".a", "a/b", "A" * 200, "\t", "PATH", "A:B"]
LABELS = [
    "a",
    "a/b",
    "-a",
    "a_",
    "A.b",
    "x" * 63,
    "x" * 64,
    "é",
    "a b",
    "",
    "kubernetes.io/x",
    "a/b/c",
    "example.com/",
    "/a",
]
LABEL_VALUES = ["", "a", "a_b.c-d", "-a", "a b", "x" * 63, "x" * 64, "é", "true"]
DNS = ["a", "side-car", "Side", "a_b", "-a", "a" * 63, "a" * 64, "1", "a.b", "", "cache", "shm"]
QUANTITIES: list[Any] = [
    "1",
    "1Gi",
    "1.5",
    "-1",
    "1 Gi",
    "1gi",
    "1e3",
    "",
    "100m",
    1,
    0,
    -1,
    "0.0001",
    "1GiB",
    "9" * 30,
]
PATHS = ["/cache", "/x", "x", "", "/a:b", "/../x", "/x" * 500]
TEXTS = ["", " ", "a", "x" * 3000, "$(HOME)", "é", "'\"", "--", "{}", "a\nb"]


class _Draw:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def one(self, values: list[Any]) -> Any:
        return self.random.choice(values)

    def some(self, **parts: Any) -> dict[str, Any]:
        """Any of the members, each made by its function."""
        return {name: make() for name, make in parts.items() if self.random.random() < 0.3}

    def env(self) -> list[dict[str, Any]]:
        names = self.random.sample(NAMES, self.random.randint(0, 2))
        source = lambda: self.one(  # noqa: E731  # one of many like it
            [
                {},
                {"secretKeyRef": {"name": self.one(DNS), "key": self.one(NAMES)}},
                {"configMapKeyRef": {"name": self.one(DNS), "key": self.one(NAMES)}},
                {"fieldRef": {"fieldPath": self.one(["metadata.name", "spec.x", "", "metadata.labels['a']"])}},
                {"resourceFieldRef": {"resource": self.one(["limits.cpu", "limits.x", ""])}},
                {"secretKeyRef": {"name": "a", "key": "b"}, "fieldRef": {"fieldPath": "metadata.name"}},
            ]
        )
        return [{"name": n, **self.some(value=lambda: self.one(TEXTS), valueFrom=source)} for n in names]

    def strings(self) -> dict[str, str]:
        return {self.one(LABELS): self.one(LABEL_VALUES) for _ in range(self.random.randint(0, 2))}

    def container(self, *, engine: bool) -> dict[str, Any]:
        made = self.some(
            env=self.env,
            volumeMounts=lambda: [{"name": self.one(DNS), "mountPath": self.one(PATHS)}],
            resources=lambda: {
                "limits": {self.one(["cpu", "memory", "x", "example.com/y", "-z"]): self.one(QUANTITIES)},
                "requests": {self.one(["cpu", "memory", "example.com/y"]): self.one(QUANTITIES)},
            },
            ports=lambda: [{"name": self.one(DNS), "containerPort": self.one([0, 80, 8000, 70000])}],
            livenessProbe=lambda: {
                **self.one(
                    [{}, {"exec": {"command": ["true"]}}, {"httpGet": {"path": "/", "port": self.one(["http", 80, 0])}}]
                ),
                "periodSeconds": self.one([-1, 0, 5]),
            },
            workingDir=lambda: self.one(PATHS),
            imagePullPolicy=lambda: self.one(["Always", "Never", "always"]),
            securityContext=lambda: self.some(
                runAsUser=lambda: self.one([1000, -1, 2**31]), readOnlyRootFilesystem=lambda: True
            ),
        )
        if engine:
            return {"name": "engine", **made}
        return {"name": self.one(DNS), "image": self.one(["a", "a:b", " a", "a b"]), **made}

    def pod(self) -> dict[str, Any]:
        return self.some(
            containers=lambda: [self.container(engine=self.random.random() < 0.6)],
            initContainers=lambda: [self.container(engine=False)],
            nodeSelector=self.strings,
            tolerations=lambda: [
                self.some(
                    key=lambda: self.one(LABELS),
                    operator=lambda: self.one(["Exists", "Equal", "In"]),
                    value=lambda: self.one(LABEL_VALUES),
                    effect=lambda: self.one(["NoSchedule", "NoExecute", "Never"]),
                    tolerationSeconds=lambda: self.one([0, -1, 60]),
                )
            ],
            volumes=lambda: [
                {
                    "name": self.one(DNS),
                    **self.one(
                        [
                            {"emptyDir": {}},
                            {},
                            {"emptyDir": {"sizeLimit": self.one(QUANTITIES)}},
                            {"persistentVolumeClaim": {"claimName": self.one(DNS)}},
                            {"emptyDir": {}, "configMap": {"name": "a"}},
                            {"secret": {"secretName": "a", "defaultMode": self.one([256, 4096, -1])}},
                        ]
                    ),
                }
            ],
            priorityClassName=lambda: self.one(DNS),
            schedulerName=lambda: self.one(["", "default-scheduler"]),
            terminationGracePeriodSeconds=lambda: self.one([0, -1, 30]),
            dnsPolicy=lambda: self.one(["None", "Default", "default"]),
            topologySpreadConstraints=lambda: [
                {"maxSkew": self.one([0, 1]), "topologyKey": self.one(LABELS), "whenUnsatisfiable": "DoNotSchedule"}
            ],
        )

    def spec(self) -> dict[str, Any]:
        engine = {"image": self.one(["vllm/vllm-openai:v0.33.0", "r.example:5000/a/b:v0.33.0", "A:v0.33.0"])}
        return {
            "replicas": self.random.randint(0, 3),
            "engine": engine | self.some(env=self.env, extraArgs=lambda: [f"--served-model-prefix={self.one(TEXTS)}"]),
            "target": {"model": self.one(["a/b", "/models/a", "é", "$(A)", "x" * 500])},
            **self.some(
                hardware=lambda: {"gpusPerReplica": self.one([1, 2]), **self.some(nodeSelector=self.strings)},
                draft=lambda: {"method": "NGram"},
            ),
            "podTemplate": self.some(
                metadata=lambda: self.some(labels=self.strings, annotations=self.strings), spec=self.pod
            ),
        }


def hostile_specs(count: int) -> Iterator[dict[str, Any]]:
    """The same `count` specs each time."""
    return (_Draw(seed).spec() for seed in range(count))

"""Random specs, as JSON on the wire, that keep every rule. Shared by the unit tests and by the API server's."""

from datetime import datetime
from typing import Any

from hypothesis import strategies as st

names = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._/-]{0,20}\Z")
hundredths = st.integers(1, 100).map(lambda n: f"{n / 100:.2f}")
quantizations = st.sampled_from(["None", "FP8", "INT8", "INT4", "AWQ", "GPTQ", "BitsAndBytes", "Prequantized"])


def seconds(low: int, high: int) -> st.SearchStrategy[str]:
    """Durations, in a unit of the draw's choice."""
    spelled = st.sampled_from(
        [lambda n: f"{n}s", lambda n: f"{n // 60}m{n % 60}s", lambda n: f"{n * 1000 % 1000}ms{n}s"]
    )
    return st.builds(lambda n, spell: spell(n), st.integers(low, high), spelled)


def maybe(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Any subset of the fields."""
    return st.fixed_dictionaries({}, optional=fields)


def _join(*parts: dict[str, Any]) -> dict[str, Any]:
    return {key: value for part in parts for key, value in part.items()}


acceptances = st.one_of(
    maybe(method=st.sampled_from(["Rejection", "Probabilistic", "Block"]), allowLossy=st.booleans()),
    st.builds(_join, st.just({"method": "Typical", "allowLossy": True}), maybe(threshold=hundredths, alpha=hundredths)),
    st.builds(_join, st.just({"method": "Fly", "allowLossy": True}), maybe(threshold=hundredths)),
)
with_model = st.builds(
    _join,
    st.fixed_dictionaries(
        {"model": names}, optional={"method": st.sampled_from(["DraftModel", "Eagle", "Eagle3", "MTP", "DFlash"])}
    ),
    maybe(
        quantization=quantizations,
        revision=names,
        numSpeculativeTokens=st.integers(2, 128),
        acceptance=acceptances,
        disableAboveBatchSize=st.integers(2, 512),
    ),
)
lookups = (
    st.tuples(st.integers(1, 128), st.integers(1, 128))
    .map(sorted)
    .map(lambda pair: {"promptLookupMin": pair[0], "promptLookupMax": pair[1]})
)
without_model = st.one_of(
    st.builds(_join, st.sampled_from([{"method": "NGram"}, {"method": "NGramGPU"}]), st.one_of(st.just({}), lookups)),
    st.just({"method": "Suffix"}),
    st.just({"method": "MTP", "numSpeculativeTokens": 1}),
)
drafts = st.one_of(with_model, without_model)
fixed = (
    st.lists(hundredths, min_size=3, max_size=3)
    .map(sorted)
    .map(lambda n: dict(zip(("floor", "caution", "healthy"), n, strict=True)))
)
speedups = st.tuples(st.integers(50, 99), st.integers(100, 300)).map(
    lambda pair: {"disable": f"{pair[0] / 100}", "promote": f"{pair[1] / 100}"}
)
windows = st.permutations(["00:00", "06:30", "23:59"]).map(lambda times: {"start": times[0], "end": times[1]})
policies = maybe(
    mode=st.sampled_from(["Auto", "Advise", "AlwaysOff"]),
    paused=st.booleans(),
    onBelowBreakEven=st.lists(
        st.sampled_from(["Tune", "ChangeAcceptanceMethod", "ChangeMethod", "Restart", "Disable"]), unique=True
    ),
    holdback=maybe(mode=st.sampled_from(["Auto", "Never"]), replicas=st.integers(1, 100)),
    switching=maybe(
        mode=st.just("Warm"),
        drainTimeout=st.sampled_from(["0s", "90s", "10m"]),
        surge=st.integers(0, 100),
        allowDowntime=st.booleans(),
        windows=st.lists(windows, max_size=2),
    ),
    cooldown=seconds(0, 86_000),
    maxTransitionsPerDay=st.integers(0, 1000),
)
engines = st.fixed_dictionaries(
    {"image": names.map(lambda n: f"{n}:v0.33.0")},
    optional={
        "version": st.sampled_from(["0.33.0", "0.6.3.post1"]),
        "extraArgs": st.lists(st.sampled_from(["--enforce-eager", "--seed=1", "x y"]), max_size=3),
        "env": st.lists(st.sampled_from(["A", "B", "C"]), unique=True).map(
            lambda n: [{"name": x, "value": "1"} for x in n]
        ),
        "startupTimeout": seconds(10, 86_000),
        "shutdownTimeout": seconds(0, 3_500),
    },
)
targets = st.fixed_dictionaries(
    {"model": names},
    optional={
        "quantization": quantizations,
        "maxModelLen": st.integers(16, 1_000_000),
        "gpuMemoryUtilization": hundredths,
        "kvCacheDtype": st.sampled_from(["auto", "fp8"]),
        "facts": maybe(layers=st.integers(1, 200), paramsBillions=hundredths),
    },
)
calibrated = st.fixed_dictionaries({"load": hundredths, "plainMs": hundredths}, optional={"error": st.just("0.1")})
calibrations = st.fixed_dictionaries(
    {
        "engineVersion": st.sampled_from(["0.33.0", "0.26.1rc1.dev457+gc810e5e"]),
        "accelerator": st.sampled_from(["H200", "A100-80GB"]),
        "target": names,
        "measuredAt": st.datetimes(datetime(1970, 1, 1), datetime(2199, 1, 1)).map(lambda t: f"{t:%Y-%m-%dT%H:%M:%SZ}"),
        "loads": st.lists(calibrated, min_size=1, max_size=32),
    },
    optional={"gpusPerReplica": st.integers(1, 64), "method": st.just("Eagle3"), "draft": names},
)
specs = st.builds(
    _join,
    st.fixed_dictionaries({"engine": engines, "target": targets, "draft": drafts}),
    maybe(
        replicas=st.integers(0, 1000),
        alternatives=st.lists(drafts, max_size=2),
        hardware=maybe(accelerators=st.sampled_from([["H100"], ["H200", "H100"]]), gpusPerReplica=st.integers(1, 64)),
        thresholds=maybe(acceptance=fixed, speedup=speedups, baselineDropPoints=st.integers(1, 100)),
        evidence=maybe(window=seconds(10, 20_000), warmup=seconds(0, 86_000), minRequests=st.integers(0, 1000)),
        calibration=calibrations,
        policy=policies,
        metrics=maybe(prometheusURL=st.sampled_from(["", "http://p:9090", "https://p/prefix"])),
        podTemplate=st.just({"spec": {"priorityClassName": "gold"}}),
    ),
)
"""Specs that both the API server and pydantic accept."""

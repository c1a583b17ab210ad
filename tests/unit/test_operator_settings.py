"""Settings from the environment."""

import pytest
from pydantic import ValidationError

from breakeven.settings import from_environment


def test_defaults_need_nothing() -> None:
    made = from_environment({})
    assert made.leader_election
    assert made.namespaces == ()


def test_lists_are_separated_by_commas() -> None:
    made = from_environment({"BREAKEVEN_NAMESPACES": "a, b", "BREAKEVEN_PROMETHEUS_ALLOWED": "http://p:9090"})
    assert made.namespaces == ("a", "b")
    assert made.prometheus_allowed == ("http://p:9090",)


def test_option_wins_over_its_variable() -> None:
    made = from_environment({"BREAKEVEN_HEALTH_PORT": "9", "BREAKEVEN_WORKERS": "3"}, health_port=0, workers=None)
    assert (made.health_port, made.workers) == (0, 3)


def test_bad_value_names_its_variable() -> None:
    with pytest.raises(ValidationError, match="health_port"):
        from_environment({"BREAKEVEN_HEALTH_PORT": "many"})


def test_misspelt_variable_is_refused_but_service_links_are_not() -> None:
    with pytest.raises(ValueError, match=r"BREAKEVEN_NAMESPACE$"):
        from_environment({"BREAKEVEN_NAMESPACE": "a"})
    from_environment({"BREAKEVEN_SERVICE_HOST": "10.0.0.1", "BREAKEVEN_PORT_8080_TCP": "tcp://10.0.0.1:8080"})


def test_what_pod_templates_may_not_set_is_strict_unless_it_is_said() -> None:
    assert {"hostNetwork", "hostPath", "privileged", "runAsUser=0"} <= set(from_environment({}).pod_template_deny)
    assert from_environment({"BREAKEVEN_POD_TEMPLATE_DENY": "hostPath, runAsUser=0"}).pod_template_deny == (
        "hostPath",
        "runAsUser=0",
    )
    assert from_environment({"BREAKEVEN_POD_TEMPLATE_DENY": "none"}).pod_template_deny == ()
    with pytest.raises(ValidationError, match=r"pod_template_deny.*\n.*no field"):
        from_environment({"BREAKEVEN_POD_TEMPLATE_DENY": "spec/hostPath"})


@pytest.mark.parametrize("name", ["PROMETHEUS_URL", "PROMETHEUS_ALLOWED"])
@pytest.mark.parametrize("url", ["http://[::1", "http://[x]", "http://a\u2100b", "http://p:99999", "p:9090", "http://"])
def test_an_address_that_is_none_is_refused_at_the_start(name: str, url: str) -> None:
    with pytest.raises(ValidationError, match=name.lower()):
        from_environment({f"BREAKEVEN_{name}": url})

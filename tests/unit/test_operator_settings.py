"""Settings from the environment."""

import pytest
from pydantic import ValidationError

from breakeven.settings import from_environment, shown


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


def test_what_the_start_logs_has_no_credentials_and_only_what_differs() -> None:
    made = from_environment(
        {
            "BREAKEVEN_PROMETHEUS_URL": "https://me:s3cret@p.example:9090/select/0?token=s3cret",
            "BREAKEVEN_PROMETHEUS_ALLOWED": "http://u:s3cret@a:1, http://b:2",
            "BREAKEVEN_PROMETHEUS_TOKEN_FILE": "/var/run/token",
            "BREAKEVEN_WORKERS": "32",
        }
    )
    assert shown(made) == {
        "prometheus_url": "https://p.example:9090/select/0",
        "prometheus_allowed": "http://a:1,http://b:2",
        "prometheus_token_file": "/var/run/token",
    }


def test_a_token_and_a_password_at_once_are_refused_at_the_start() -> None:
    one = {"BREAKEVEN_PROMETHEUS_BASIC_AUTH_DIR": "/basic"}
    assert str(from_environment(one).prometheus_basic_auth_dir) == "/basic"
    with pytest.raises(ValidationError, match="prometheus_token_file and prometheus_basic_auth_dir"):
        from_environment({**one, "BREAKEVEN_PROMETHEUS_TOKEN_FILE": "/token"})


@pytest.mark.parametrize("price", ["-1", "free", "NaN", "Infinity", "1e12"])
def test_a_price_that_is_none_is_refused_at_the_start(price: str) -> None:
    with pytest.raises(ValidationError, match="gpu_hour_price"):
        from_environment({"BREAKEVEN_GPU_HOUR_PRICE": price})


def test_a_currency_fits_into_a_label() -> None:
    assert from_environment({"BREAKEVEN_GPU_HOUR_CURRENCY": "€"}).gpu_hour_currency == "€"
    with pytest.raises(ValidationError, match="gpu_hour_currency"):
        from_environment({"BREAKEVEN_GPU_HOUR_CURRENCY": 'E"R'})


def test_labels_of_a_share_are_checked_at_the_start() -> None:
    for good in ("", "shard=a", "shard == a, team!=x, !legacy, example.com/own"):
        assert from_environment({"BREAKEVEN_RESOURCE_SELECTOR": good}).resource_selector == good
    for bad in ("shard in (a,b)", "=a", "shard=a b", "!shard=a", "Ünde=a"):
        with pytest.raises(ValidationError, match="selects by no label"):
            from_environment({"BREAKEVEN_RESOURCE_SELECTOR": bad})


def test_a_page_beyond_loopback_needs_the_token() -> None:
    assert from_environment({}).page_port is None
    for host in ("127.0.0.1", "::1", "localhost"):
        assert from_environment({"BREAKEVEN_PAGE_HOST": host, "BREAKEVEN_PAGE_PORT": "0"}).page_port == 0
    for host in ("0.0.0.0", "::", "10.0.0.1", "breakeven.example"):
        with pytest.raises(ValidationError, match=r"page_host.*\n.*BREAKEVEN_METRICS_TOKEN_FILE"):
            from_environment({"BREAKEVEN_PAGE_HOST": host})
    exposed = {"BREAKEVEN_PAGE_HOST": "0.0.0.0", "BREAKEVEN_METRICS_TOKEN_FILE": "/token"}
    assert from_environment(exposed).page_host == "0.0.0.0"

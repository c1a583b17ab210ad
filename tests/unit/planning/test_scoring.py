"""Scoring: honest sums, lenient reading, no fitted row scored."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.planning.calibration import FITTED_ROWS
from breakeven.planning.scoring.machine import rig_of
from breakeven.planning.scoring.predict import predict
from breakeven.planning.scoring.row import COLUMNS, Case, CasesError, read_case, read_cases, speedup_of
from breakeven.planning.scoring.score import LeftOut, score


def case(**cells: str) -> Case:
    return read_case(
        {
            "id": "x1",
            "source": "s",
            "provenance": "table",
            "target": "Llama-3.1-8B",
            "target_params_b": "8.03",
            "target_dtype": "bf16",
            "method": "eagle3",
            "k": "3",
            "hardware": "H100",
            "tp": "1",
            "engine": "vLLM 0.11.0",
            "load_kind": "batch",
            "load_value": "1",
            "mean_accept_len": "2.4",
            "metric": "TPOT",
            "measured_speedup": "1.7",
        }
        | cells
    )


def test_rows_that_constants_were_fitted_on_are_left_out_and_counted() -> None:
    fitted = [
        case(id="any", source=source, method=method, k=str(k), load_value=f"{load:g}", measured_speedup=str(speedup))
        for source, method, k, load, speedup in FITTED_ROWS.values()
    ]
    made = score([case(), *fitted])
    assert len(made.left_out[LeftOut.FITTED]) == len(FITTED_ROWS) and made.groups[0].rows == 1


def test_a_row_that_only_has_the_id_of_a_fitted_one_is_scored() -> None:
    assert len(score([case(id=name) for name in FITTED_ROWS]).rows) == len(FITTED_ROWS)
    assert score([case(id="b207", source="")]).left_out[LeftOut.FITTED] == ("b207",)


def test_ties_count_but_decide_nothing() -> None:
    total = score([case(measured_speedup=value) for value in ("1.03", "0.97", "1.5", "0.5")]).groups[0]
    assert (total.rows, total.ties, total.faster, total.slower) == (4, 2, 1, 1)
    assert total.always.slower_right == 0 and total.missed == ("x1",)


def test_rows_that_compare_two_lengths_or_hold_no_figure_are_left_out() -> None:
    made = score([case(metric="tok/s vs MTP k=1 (NOT vs no speculation)"), case(measured_speedup="")])
    assert (made.left_out[LeftOut.RELATIVE], made.left_out[LeftOut.UNMEASURED]) == (("x1",), ("x1",))
    assert made.read == 2 and made.groups[0].rows == 0


def test_a_target_of_unknown_size_is_not_predicted() -> None:
    made = score([case(target="secret", target_params_b="")])
    assert made.left_out[LeftOut.UNKNOWN] == ("x1",)


@pytest.mark.parametrize(
    ("cells", "slower"),
    [
        ({"load_value": "1"}, False),
        ({"load_value": "256", "mean_accept_len": "1.2"}, True),
        ({"k": "32", "mean_accept_len": "2.18", "method": "eagle", "hardware": "A100-40GB"}, True),
        ({"method": "eagle3-tree", "k": "21", "load_value": "128", "engine": "SGLang 0.5.9"}, True),
        ({"method": "eagle", "k": "2", "load_value": "40", "mean_accept_len": "2.1", "engine": "vLLM V0"}, True),
        ({"method": "eagle3", "k": "2", "load_value": "40", "mean_accept_len": "2.36", "engine": "vLLM V0"}, False),
        ({"method": "eagle", "load_value": "40", "mean_accept_len": "2.29", "engine": "SGLang 0.4.4"}, True),
        (
            {
                "method": "draft_model",
                "k": "1",
                "draft": "AWQ copy of the target",
                "draft_params_b": "8.03",
                "hardware": "A40",
                "engine": "vLLM 0.6.3",
                "load_value": "32",
                "mean_accept_len": "1.9",
            },
            True,
        ),
    ],
)
def test_slow_downs_that_physics_explains_are_found(cells: dict[str, str], slower: bool) -> None:
    guess = predict(case(**cells))
    assert guess is not None and (guess.speedup < 1.0) is slower


@pytest.mark.parametrize(
    ("hardware", "name", "gpus"),
    [
        ("A40", "A40", 1),
        ("8x B300", "B300", 8),
        ("RTX 4090", "RTX 4090", 1),
        ("MI300X", "MI300X", 1),
        ("A100-40GB", "A100-40GB", 1),
    ],
)
def test_gpus_are_recognised(hardware: str, name: str, gpus: int) -> None:
    rig = rig_of(case(hardware=hardware, tp=""), 16e9)
    assert (rig.chip.name, rig.gpus) == (name, gpus)


def test_hardware_that_is_not_named_is_said_to_be_assumed() -> None:
    guess = predict(case(hardware="something new"))
    assert guess is not None and "hardware" in guess.assumed


cells = st.text(alphabet=string.ascii_letters + string.digits + " .,-+%/()", max_size=24)
values = cells | st.sampled_from(["", "0", "-1", "1e300", "nan", "high", "low", "32", "1.5"])


@given(row=st.dictionaries(st.sampled_from(COLUMNS), values))
def test_no_row_makes_scoring_fail(row: dict[str, object]) -> None:
    made = score([read_case(row)])
    assert made.read == 1
    assert all(row.guess.speedup >= 0 for row in made.rows)


@pytest.mark.parametrize(
    ("cell", "speedup"),
    [
        ("1.25", 1.25),
        ("1.25x", 1.25),
        ("~1.3×", 1.3),
        (".85", 0.85),
        ("1,25", 1.25),
        ("1.2-1.4", 1.3),
        ("1.2x to 1.4x", 1.3),
        ("125%", 1.25),
        ("+25 %", 1.25),
        ("-16%", 0.84),
        ("−16%", 0.84),
        ("25%", None),
        ("", None),
        ("n/a", None),
        ("-0.2", None),
        ("inf", None),
        ("-100%", None),
    ],
)
def test_a_speed_up_is_read_as_people_write_it_or_not_at_all(cell: str, speedup: float | None) -> None:
    assert speedup_of(cell) == (None if speedup is None else pytest.approx(speedup))


def test_shares_and_sizes_are_read_with_their_units() -> None:
    found = case(accepted_per_drafted="47%", mean_accept_len="", k="", target_params_b="500M", load_value="2,000")

    assert (found.ratio, found.target_params, found.load) == (0.47, 0.5e9, 2000.0)
    guess = predict(found)
    assert guess is not None and "acceptance" not in guess.assumed


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no column target, method, measured_speedup"),
        ("a,b\n1,2\n", "no column target, method, measured_speedup"),
        ("target,method\nx,y\n", "no column measured_speedup"),
        ("target,method,measured_speedup\n", "holds no rows"),
        ("target,method,measured_speedup\n,,\n\n", "holds no rows"),
        (f'target,method,measured_speedup\n"{"x" * 200_000}",a,1\n', "is not CSV"),
    ],
)
def test_a_file_that_is_no_table_of_cases_is_refused_by_what_is_missing(text: str, says: str) -> None:
    with pytest.raises(CasesError, match=says):
        read_cases(text)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_byte_order_mark_line_ends_case_and_further_columns_do_not_matter(newline: str) -> None:
    lines = [
        " Target ,Method,mine,measured_speedup",
        "Llama-3.1-8B,eagle3,zzz,1.7,too,many",
        "secret,eagle3,,1.2",
        "Llama-3.1-8B,ngram",
    ]
    made = score(read_cases("\ufeff" + newline.join(lines)))

    assert (made.read, len(made.rows)) == (3, 1)
    assert made.rows[0].case.id == "line 2"
    assert {reason: ids for reason, ids in made.left_out.items() if ids} == {
        LeftOut.UNKNOWN: ("line 3",),
        LeftOut.UNMEASURED: ("line 4",),
    }


def test_a_stated_plain_speed_tells_the_host_time_that_both_steps_spend() -> None:
    silent, stated = predict(case()), predict(case(metric="decode tok/s (24.6 without)"))
    fast = predict(case(metric="TPOT (0.1 ms without)"))
    told = predict(case(metric="tok/s 485.5 vs 301.1"))

    assert silent and stated and fast and told
    assert stated.inflation < silent.inflation
    assert fast.inflation == silent.inflation == told.inflation

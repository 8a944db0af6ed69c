"""What the monitor takes for a change, and how seldom it takes chance for one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from models.monitoring import (
    Check,
    Limits,
    Monitored,
    Reference,
    confirmed_rates,
    drift,
    fewest_confirmed,
    label_mix,
    psi,
    take_reference,
    with_known,
)

DAY = date(2024, 1, 1)
DATES = tuple(DAY + timedelta(days=91 * number) for number in range(4))
# So low that only chance is left of the limits: what is tested is how far chance reaches.
CHANCE_ALONE = Limits(psi=1e-12, missing=1e-12, label_psi=1e-12, false_alarms=0.02)
NAMES = ("counts", "amount", "hours", "idle")


def people(rng: np.random.Generator, n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Features as they are: mostly zero counts, a skewed amount, one unknown of some, one the same for all."""
    hours = rng.normal(40, 5, n)
    hours[rng.uniform(size=n) < 0.1] = np.nan
    features = np.column_stack([rng.poisson(0.4, n), rng.exponential(9, n), hours, np.zeros(n)])
    return features, rng.normal(-4, 1, n)


def reference(
    rng: np.random.Generator, *, n: int = 400, dates: Sequence[date] = DATES, mix: dict | None = None
) -> Reference:
    gains = np.array([60.0, 30.0, 10.0, 0.0])
    return take_reference(NAMES, gains, ((day, *people(rng, n)) for day in dates), mix or {})


def breaches(checks: Sequence[Check]) -> list[str]:
    return [check.code for check in checks if check.breach]


def test_the_reference_holds_counts_and_nothing_about_anybody():
    kept = reference(np.random.default_rng(1))
    assert kept.people == 400
    assert Reference.from_json(kept.to_json()) == kept
    assert all(each.known + each.missing == 1600 for each in kept.features)
    assert len(kept.to_json()) < 5000


def test_a_batch_of_the_same_force_is_no_breach():
    rng = np.random.default_rng(2)
    assert breaches(drift(reference(rng), *people(rng), Limits())) == []


@pytest.mark.parametrize(
    ("column", "change", "code"),
    [
        (0, lambda values: values + 2, "input: counts"),
        (1, lambda values: values * 6, "input: amount"),
        (1, lambda values: values * np.nan, "missing: amount"),
        (2, lambda values: np.where(np.arange(len(values)) % 2 == 0, np.nan, values), "missing: hours"),
    ],
)
def test_a_feature_that_changed_is_named(column: int, change, code: str):
    rng = np.random.default_rng(3)
    kept = reference(rng)
    features, raw = people(rng)
    features[:, column] = change(features[:, column])
    assert breaches(drift(kept, features, raw, Limits())) == [code]


def test_scores_that_moved_are_a_breach_though_no_feature_did():
    rng = np.random.default_rng(4)
    kept = reference(rng)
    features, raw = people(rng)
    assert breaches(drift(kept, features, raw + 1.5, Limits())) == ["score: score"]


def test_a_feature_that_hardly_counts_is_shown_and_does_not_suspend():
    rng = np.random.default_rng(5)
    kept = reference(rng)
    features, raw = people(rng)
    features[:, 3] = 1.0
    (idle,) = [check for check in drift(kept, features, raw, Limits()) if check.beyond]
    assert idle.name == "idle"
    assert not idle.breach
    assert idle.in_words == "beyond, only shown"


def test_what_is_shared_by_groups_may_jump_as_far_as_it_did_while_learning():
    """A value that a whole role shares moves all its people at once, on the dates learnt from as well."""
    rng = np.random.default_rng(6)

    def shared(number: int) -> tuple[np.ndarray, np.ndarray]:
        values = rng.uniform(size=8)[np.arange(400) % 8]
        return values[:, None], rng.normal(size=400)

    kept = take_reference(("share",), np.ones(1), ((day, *shared(0)) for day in DATES), {})
    found = [next(iter(drift(kept, *shared(0), Limits()))) for _ in range(40)]
    assert np.mean([check.value > 0.5 for check in found]) > 0.5
    assert np.mean([check.breach for check in found]) < 0.2


@pytest.mark.parametrize("n", [60, 400])
def test_chance_gives_an_alarm_as_seldom_as_is_declared(n: int):
    """Three hundred pairs of samples of one force; all features together, missing shares, scores."""
    rng = np.random.default_rng(n)
    alarms = {"input": 0, "missing": 0, "score": 0}
    for _ in range(300):
        checks = drift(reference(rng, n=n, dates=DATES[:1]), *people(rng, n), CHANCE_ALONE)
        for kind in alarms:
            alarms[kind] += any(check.beyond for check in checks if check.kind == kind)
    # 2 % are declared; with 300 pairs, 4 % are what chance may make of it.
    assert {kind: count / 300 <= 0.04 for kind, count in alarms.items()} == dict.fromkeys(alarms, True), (
        alarms
    )


def test_the_mix_of_cases_is_held_to_the_year_before_the_model_was_made():
    then = {"source": {"PUBLIC": 120, "SUPERVISOR": 60, "COLLEAGUE": 20}}
    for now, breached in (
        ({"source": {"PUBLIC": 115, "SUPERVISOR": 62, "COLLEAGUE": 25}}, []),
        ({"source": {"PUBLIC": 30, "SUPERVISOR": 60, "TOOL_LEAD": 60}}, ["labels: source"]),
        ({"source": {}}, []),
    ):
        checks, rows = label_mix(then, now, Limits())
        assert breaches(checks) == breached
        assert rows.height >= 3


def test_a_mix_of_few_cases_gives_an_alarm_as_seldom_as_is_declared():
    rng = np.random.default_rng(8)
    shares = [0.5, 0.25, 0.15, 0.06, 0.03, 0.01]
    alarms = 0
    for _ in range(500):
        then, now = (
            {"source": dict(zip("abcdef", map(int, rng.multinomial(n, shares)), strict=True))}
            for n in (60, 40)
        )
        alarms += any(check.beyond for check in label_mix(then, now, CHANCE_ALONE)[0])
    assert alarms / 500 <= 0.04


def leads(*batches: tuple[int, int, int]) -> pl.DataFrame:
    """Confirmed, wrong and open leads of each batch."""
    rows = [
        (DAY + timedelta(days=91 * number), outcome)
        for number, counts in enumerate(batches)
        for outcome, count in zip(("confirmed", "wrong", "open"), counts, strict=True)
        for _ in range(count)
    ]
    return pl.DataFrame(rows, schema={"as_of": pl.Date, "outcome": pl.String}, orient="row")


def test_far_fewer_confirmed_than_the_backtest_expects_is_a_breach_and_more_is_none():
    rated = [
        confirmed_rates(leads(batch), expected=40, of=100, limits=Limits())[0]
        for batch in ((12, 18, 0), (0, 30, 5), (30, 0, 0), (0, 3, 20))
    ]
    assert [breaches(checks) for checks in rated] == [[], ["confirmed: batch of 2024-01-01"], [], []]


def test_what_no_batch_shows_by_itself_shows_in_all_of_them():
    checks, rates = confirmed_rates(leads(*[(1, 11, 0)] * 6), expected=40, of=100, limits=Limits())
    assert breaches(checks) == ["confirmed: all batches"]
    assert rates["decided"].to_list() == [12] * 6


def test_open_leads_say_nothing_yet():
    checks, rates = confirmed_rates(leads((0, 0, 20)), expected=40, of=100, limits=Limits())
    assert checks == ()
    assert rates.is_empty()


def test_the_control_chart_gives_an_alarm_as_seldom_as_is_declared():
    """Five batches of leads that are confirmed as often as a backtest of a hundred had the chance to tell."""
    rng, alarms = np.random.default_rng(9), 0
    for _ in range(300):
        rate = rng.beta(4, 16)
        expected = rng.binomial(100, rate)
        batches = [(int(k), 20 - int(k), 0) for k in rng.binomial(20, rate, 5)]
        checks, _ = confirmed_rates(leads(*batches), expected=expected, of=100, limits=Limits())
        alarms += any(check.breach for check in checks)
    assert alarms / 300 <= 0.02


def test_the_limit_knows_how_little_a_short_backtest_tells():
    sure = fewest_confirmed(30, expected=500, of=1000, false_alarms=0.01)
    unsure = fewest_confirmed(30, expected=5, of=10, false_alarms=0.01)
    assert unsure < sure


def test_what_a_person_knows_is_no_breach_until_it_is_worse_by_as_much_again():
    check = Check(kind="input", name="counts", value=0.5, limit=0.3, says="")
    assert check.breach
    (known,) = with_known([check], {"input: counts": 0.5})
    assert not known.breach
    assert known.in_words == "beyond, known"
    assert replace(known, value=0.79).breach is False
    assert replace(known, value=0.81).breach is True


def test_psi_is_nothing_for_equal_shares_and_the_same_both_ways():
    assert psi([10, 20, 30], [10, 20, 30]) == 0.0
    assert psi([30, 60, 10], [10, 20, 70]) == pytest.approx(psi([10, 20, 70], [30, 60, 10]), rel=0.05)


def test_it_shows_itself_as_table_chart_and_json(tmp_path):
    rng = np.random.default_rng(10)
    mix = {"source": {"PUBLIC": 120, "SUPERVISOR": 60}}
    kept = reference(rng, mix=mix)
    features, raw = people(rng)
    mixed, table = label_mix(kept.mix, {"source": {"PUBLIC": 9, "SUPERVISOR": 90}}, Limits())
    rated, rates = confirmed_rates(leads((5, 7, 1), (6, 6, 8)), expected=40, of=100, limits=Limits())
    found = Monitored(
        model="small v1", as_of=DAY, checks=(*drift(kept, features, raw + 2, Limits()), *mixed, *rated), mix=table, rates=rates
    )  # fmt: skip
    assert found.frame()["answer"].to_list()[:2] == ["breach", "breach"]
    assert set(found.to_dict()["breaches"]) == {"score: score", "labels: source"}
    assert "score: score" in found._repr_html_()
    found.chart().save(str(tmp_path / "monitor.svg"))
    assert (tmp_path / "monitor.svg").read_text().startswith("<svg")

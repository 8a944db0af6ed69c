"""How cases end and when: findings, and leaving that competes with them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy import stats

from models.incidence import HOW, cumulative_incidence


def drawn(cases: int, *, seed: int, leave: float = 900.0, seen: float = 1200.0) -> pl.DataFrame:
    """Cases of which each ends by whatever comes first, in whole days, or is last seen open."""
    rng = np.random.default_rng(seed)
    found, gone, look = (
        rng.exponential(400, cases),
        rng.exponential(leave, cases),
        rng.uniform(0, seen, cases),
    )
    confirmed = rng.random(cases) < 0.3
    ends = np.minimum(found, gone)
    how = np.where(gone < found, "left", np.where(confirmed, "confirmed", "not confirmed"))
    return pl.DataFrame(
        {"days": np.floor(np.minimum(ends, look)).astype(int), "how": how, "open": ends > look}
    ).select("days", how=pl.when(~pl.col("open")).then("how"))


def of(curve: pl.DataFrame, how: str) -> pl.DataFrame:
    return curve.filter(pl.col("how") == how)


def test_without_open_cases_the_incidence_is_the_share_and_its_variance_the_binomial_one() -> None:
    cases = drawn(500, seed=1).drop_nulls("how")
    found = cumulative_incidence(cases)
    for how in HOW:
        share = float((cases["how"] == how).mean())  # type: ignore[arg-type]  # a mean of booleans is a number
        last = of(found.curve, how).row(-1, named=True)
        assert last["incidence"] == pytest.approx(share)
        reach = 1.959963984540054 * np.sqrt(share * (1 - share) / len(cases)) / (share * np.log(share))
        assert last["low"] == pytest.approx(share ** np.exp(-reach))
        assert last["high"] == pytest.approx(share ** np.exp(reach))


def test_with_one_kind_of_ending_it_is_one_less_kaplan_and_meier() -> None:
    cases = drawn(300, seed=2).with_columns(
        how=pl.when(pl.col("how").is_not_null()).then(pl.lit("confirmed"))
    )
    ours = of(cumulative_incidence(cases).curve, "confirmed")
    ended = cases["how"].is_not_null().to_numpy()
    days = cases["days"].to_numpy()
    theirs = stats.ecdf(stats.CensoredData(uncensored=days[ended], right=days[~ended])).cdf
    assert ours["incidence"].to_list() == pytest.approx(theirs.evaluate(ours["days"].to_numpy()).tolist())


def test_endings_and_open_cases_make_up_all_of_them() -> None:
    curve = cumulative_incidence(drawn(400, seed=3)).curve
    together = curve.group_by("days").agg(pl.col("incidence").sum()).sort("days")["incidence"]
    assert together.is_sorted()
    assert together[-1] <= 1 + 1e-12


def test_to_drop_leavers_would_promise_more_findings() -> None:
    cases = drawn(4000, seed=4, leave=500.0)
    as_open = cases.with_columns(how=pl.when(pl.col("how") != "left").then("how"))
    assert cumulative_incidence(cases).at(900) < cumulative_incidence(as_open).at(900) - 0.03


def test_its_limits_hold_the_truth_nineteen_times_in_twenty() -> None:
    truth = cumulative_incidence(drawn(300_000, seed=5)).at(365)
    held = [
        row["low"] <= truth <= row["high"]
        for seed in range(400)
        for row in [of(cumulative_incidence(drawn(250, seed=100 + seed)).curve, "confirmed").filter(pl.col("days") <= 365).row(-1, named=True)]
    ]  # fmt: skip
    assert 0.92 <= np.mean(held) <= 0.98


def test_the_share_of_findings_made_follows_the_ages_of_cases() -> None:
    found = cumulative_incidence(drawn(2000, seed=6))
    assert found.made([0.0]) == pytest.approx(found.at(0) / found.at(np.inf))
    of_old_cases = [found.made([10_000.0] * cases) or 0.0 for cases in range(1, 60)]
    assert of_old_cases == pytest.approx([1.0] * 59)
    assert max(of_old_cases) <= 1.0
    assert found.made([]) is None
    young, old = found.made([100.0, 150.0]), found.made([600.0, 700.0])
    assert young is not None
    assert old is not None
    assert young < old


def test_no_case_tells_nothing() -> None:
    nothing = cumulative_incidence(pl.DataFrame(schema={"days": pl.Int64, "how": pl.String}))
    assert nothing.frame().is_empty()
    assert nothing.made([10.0]) is None


def test_it_is_drawn_with_its_bands_and_tabled_by_months() -> None:
    found = cumulative_incidence(drawn(500, seed=7))
    assert len(found.chart().to_dict()["layer"]) == 2
    assert set(found.frame()["months"]) == {3, 6, 12, 18, 24, 36} - {36}
    assert "500 cases followed" in found._repr_html_()

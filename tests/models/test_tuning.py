"""Tuning on dates that no comparison makes a claim about: what a trial is worth, that a killed study goes on as if
it had not been, and that the best of many is not believed too easily."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.errors import WrongUsage
from models import tuning
from models.experiment import Study, fit, grow, prepare, teach
from models.metrics import Interval
from models.splits import months_after
from models.tracking import (
    STATE,
    artifacts_folder,
    list_runs,
    log_trial,
    log_tuning,
    open_store,
    read_tuned,
    tracked_tuning,
)
from models.tuning import Range, Trial, Tuned, Tuning, tune, tuning_dates
from tests.models.conftest import QUICK
from tests.models.small_force import FORCE, InMemory, small_records

# Every quarter; a case of the small force is settled after a year.
CALENDAR = tuple(months_after(date(2021, 1, 1), 3 * quarter) for quarter in range(9))
BEFORE = date(2023, 7, 1)
DATES = (date(2022, 1, 1), date(2022, 4, 1), date(2022, 7, 1))
SMALL = {
    "rounds": Range(5, 40),
    "leaves": Range(2, 4),
    "learning_rate": Range(0.02, 0.2, log=True),
    "teacher_share": Range(0.0, 1.0),
}


def studied(accepted: InMemory) -> Study:
    return prepare(
        FORCE, accepted, test_as_ofs=DATES, train_candidates=CALENDAR, until=BEFORE, judged_by=BEFORE
    )


def asked(accepted: InMemory | None = None, **changes: object) -> Tuning:
    return replace(
        Tuning(study=studied(accepted or small_records()), start=QUICK, seed=1, space=SMALL, draws=200),
        **changes,
    )  # type: ignore[arg-type]  # fields of Tuning


@pytest.fixture(scope="module")
def small() -> Tuning:
    return asked()


@pytest.fixture(scope="module")
def tuned(small: Tuning) -> Tuned:
    """Sixteen trials, none of them kept."""
    return tune(small, trials=16)


def told(trials: tuple[Trial, ...]) -> list[tuple[object, ...]]:
    """All of a trial that does not depend on the clock."""
    return [(each.number, each.state, each.params, each.worth, each.confirmed) for each in trials]


def test_tuning_dates_are_the_last_that_are_settled_and_have_a_settled_date_before_them():
    assert tuning_dates(FORCE, CALENDAR, before=BEFORE) == DATES
    day_before = date(2023, 6, 30)
    assert tuning_dates(FORCE, CALENDAR, before=day_before) == DATES[:2]
    assert tuning_dates(FORCE, CALENDAR, before=BEFORE, most=1) == DATES[-1:]


def test_records_that_are_too_short_are_refused_with_what_is_needed():
    with pytest.raises(WrongUsage, match="takes 12 months, and another 12 months earlier"):
        tuning_dates(FORCE, CALENDAR, before=date(2022, 12, 31))


def test_trees_grown_from_what_was_taught_once_are_those_of_a_whole_training(small: Tuning):
    fold = small.study.folds[0]
    taught = teach(small.study, fold.train_as_ofs, seen_by=fold.test_as_of, params=QUICK)
    for params in (QUICK, replace(QUICK, rounds=7, teacher_share=0.3), replace(QUICK, teacher_share=0.0)):
        whole = fit(small.study, fold.train_as_ofs, seen_by=fold.test_as_of, params=params)
        assert grow(small.study, taught, params).booster == whole.booster


def test_the_first_trial_is_the_usual_parameters(tuned: Tuned):
    assert tuned.usual.params == QUICK
    assert tuned.usual.state == "completed"
    assert tuned.best.total >= tuned.usual.total


def test_a_confirmed_lead_counts_less_the_longer_the_list_it_needs(small: Tuning):
    n_people = 400
    first = tuning._Date(
        as_of=DATES[0], study=small.study, teaching=None, features=np.zeros((n_people, 1)),  # type: ignore[arg-type]  # not taught
        persons=pl.Series(range(n_people)), confirmed=np.isin(np.arange(n_people), (0, 15, 49, 50)), places=10,
    )  # fmt: skip
    ranked = -np.arange(n_people, dtype=np.float64)
    # Of ten places one is confirmed; of twenty, two; of fifty, three.
    assert first.worth(ranked, np.ones((1, n_people), np.uint8))[0] == pytest.approx((1 + 2 / 2 + 3 / 5) / 3)


def test_a_trial_is_worth_what_its_dates_are_and_a_pruned_one_lacks_the_last(tuned: Tuned):
    for trial in tuned.trials:
        days = list(trial.worth)
        assert days == list(DATES[: len(days)])
        assert trial.total == pytest.approx(sum(trial.worth.values()))
        assert (len(days) == 3) == (trial.state == "completed")
        assert ("tuning.worth" in trial.metrics()) == (trial.state == "completed")


def test_trials_that_are_behind_most_others_are_pruned(tuned: Tuned):
    pruned = [trial for trial in tuned.trials if trial.state == "pruned"]
    assert pruned
    for trial in pruned:
        n_dates = len(trial.worth)
        earlier = [each for each in tuned.trials[: trial.number] if each.state == "completed"]
        assert len(earlier) >= 5
        sums = [sum(list(each.worth.values())[:n_dates]) for each in earlier]
        assert trial.total < np.median(sums)


def test_what_was_found_after_the_first_test_date_changes_no_trial(tuned: Tuned):
    cases = small_records().frames["case"]
    later = pl.col("finding_at") >= datetime(BEFORE.year, BEFORE.month, BEFORE.day)
    assert cases.select(later.sum()).item() > 20
    otherwise = cases.with_columns(finding=pl.when(later).then(pl.lit("NONE")).otherwise("finding"))
    changed = asked(InMemory({**small_records().frames, "case": otherwise}))
    assert told(tune(changed, trials=4).trials) == told(tuned.trials[:4])


def killed_at(training: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the process end in the so-manieth training."""
    left = iter(range(training, -1, -1))

    def ends(*arguments: object) -> object:
        if next(left) == 0:
            raise KeyboardInterrupt
        return grow(*arguments)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(tuning, "grow", ends)


@pytest.mark.parametrize("training", [1, 34])
def test_a_study_that_was_killed_and_goes_on_is_the_study_that_was_not(
    small: Tuning, tuned: Tuned, tmp_path: Path, training: int
):
    with pytest.MonkeyPatch.context() as patched:
        killed_at(training, patched)
        with pytest.raises(KeyboardInterrupt):
            tune(small, trials=16, storage=tmp_path)
    new: list[int] = []
    went_on = tune(small, trials=16, storage=tmp_path, told=lambda trial: new.append(trial.number))
    assert new == list(range(16 - len(new), 16))
    assert len(new) < 16 or training < 3
    assert told(went_on.trials) == told(tuned.trials)
    assert (went_on.more, went_on.interval) == (tuned.more, tuned.interval)
    assert went_on.new_because == ()


def test_a_study_that_is_done_is_only_read(small: Tuning, tmp_path: Path):
    first = tune(small, trials=3, storage=tmp_path)
    again = tune(small, trials=2, storage=tmp_path, told=lambda _: pytest.fail("nothing is to be tried"))
    assert told(again.trials) == told(first.trials)


def test_other_records_or_code_begin_anew_and_it_is_said(small: Tuning, tmp_path: Path):
    tune(small, trials=2, storage=tmp_path)
    other_code = tune(replace(small, made_by={"code": "another"}), trials=2, storage=tmp_path)
    assert other_code.new_because == ("code",)
    cases = small_records().frames["case"].with_columns(known_at=pl.col("known_at").dt.offset_by("1d"))
    other_records = asked(InMemory({**small_records().frames, "case": cases}), made_by={"code": "another"})
    assert "records" in tune(other_records, trials=2, storage=tmp_path).new_because
    assert tune(replace(small, name="apart"), trials=2, storage=tmp_path).new_because == ()


def test_a_tuning_that_another_process_writes_is_left_alone(small: Tuning, tmp_path: Path):
    from features.locking import sole_writer

    with sole_writer(tmp_path), pytest.raises(WrongUsage, match="Wait until it has ended"):
        tune(small, trials=2, storage=tmp_path)


def test_the_best_is_recommended_only_where_its_interval_lies_above_zero(tuned: Tuned):
    better = replace(tuned, best=tuned.trials[3], more=2.0, interval=Interval(0.1, 3.9))
    assert better.recommended == tuned.trials[3].params
    assert better.says.endswith("it is recommended.")
    chance = replace(better, interval=Interval(-0.1, 4.1))
    assert chance.recommended == QUICK
    assert chance.says.endswith("may be chance, and the usual parameters are recommended.")
    none = replace(tuned, best=tuned.usual, more=0.0, interval=Interval(0.0, 0.0))
    assert none.recommended == QUICK
    assert "None did better" in none.says


def test_the_interval_of_the_best_is_wider_the_more_trials_were_looked_at(small: Tuning, tuned: Tuned):
    dates = tuning._tuning_dates(small, None)
    of_looks = [
        tuning._lead_of(tuned.trials[1], tuned.usual, dates, {}, small, looks=looks) for looks in (1, 15)
    ]
    assert of_looks[0][0] == of_looks[1][0] == pytest.approx(tuned.trials[1].total - tuned.usual.total)
    one, fifteen = (interval.high - interval.low for _, interval in of_looks)
    assert fifteen == pytest.approx(one * 2.9352 / 1.9600, rel=1e-3)


def test_regret_is_zero_for_the_best_of_each_date_and_of_all(tuned: Tuned):
    regret = tuned.regret()
    assert regret.select(pl.exclude("trial").min()).row(0) == (0.0, 0.0, 0.0, 0.0)
    assert regret.filter(pl.col("all") == 0)["trial"][0] == tuned.best.number
    assert tuned.frame()["trial"].to_list() == list(range(16))
    assert tuned.chart().to_dict()["layer"]
    assert "</table>" in tuned._repr_html_()


def test_what_cannot_be_tuned_is_refused(small: Tuning):
    with pytest.raises(WrongUsage, match="at least 2"):
        tune(small, trials=1)
    with pytest.raises(ValueError, match="the usual rounds, 40, is not in the space"):
        replace(small, space={"rounds": Range(100, 800)})
    with pytest.raises(ValueError, match="judged by a day after its dates"):
        tune(replace(small, study=replace(small.study, judged_by=None)), trials=2)


def test_the_usual_parameters_of_every_force_lie_in_the_space(small: Tuning):
    from features.definition import load_force
    from models.ranker import usual_params

    for name in ("simulated", "chicago"):
        assert replace(small, start=usual_params(load_force(name)), space=tuning.SPACE)


def track(store: Path, asked_for: Tuning, trials: int, told: Callable[[Trial], None] | None = None) -> str:
    with tracked_tuning(store, "small", name=asked_for.name, key=asked_for.key) as run:

        def keep(trial: Trial) -> None:
            if told:
                told(trial)
            log_trial(run, trial)

        log_tuning(run, tune(asked_for, trials=trials, storage=store / "tuning", told=keep))
    return run.run_id


def test_each_trial_is_a_child_run_and_a_killed_tuning_goes_on_in_its_run(
    store: Path, small: Tuning, tuned: Tuned
):
    def killed(trial: Trial) -> None:
        if trial.number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        track(store, small, 4, killed)
    client = open_store(store)
    experiment = client.get_experiment_by_name("small-tuning")
    assert experiment is not None
    (begun,) = client.search_runs([experiment.experiment_id], "tags.kind = 'tuning'")
    assert begun.data.tags[STATE] == "failed"

    run_id = track(store, small, 6)
    assert run_id == begun.info.run_id
    parent = client.get_run(run_id)
    assert parent.data.tags[STATE] == "completed"
    assert parent.data.tags["says"].startswith("6 trials (1 pruned) on 3 dates before 2023-07-01.")
    assert parent.data.metrics["tuning.worth"] == max(trial.total for trial in tuned.trials[:6])
    assert (artifacts_folder(client, store, run_id) / "trials.svg").is_file()

    children = client.search_runs([experiment.experiment_id], f"tags.`mlflow.parentRunId` = '{run_id}'")
    by_number = {int(child.data.tags["trial"]): child for child in children}
    assert len(children) == len(by_number) == 6
    for trial in tuned.trials[:6]:
        child = by_number[trial.number]
        assert child.info.run_name == f"trial {trial.number}"
        assert child.info.status == "FINISHED"
        assert child.data.tags["state"] == trial.state
        assert child.data.params == {key: str(value) for key, value in trial.params.to_dict().items()}
        assert child.data.metrics.pop("seconds") > 0
        assert child.data.metrics == pytest.approx(trial.metrics())


def test_a_tuning_is_no_run_to_compare_and_is_read_by_name_or_id_with_its_latest_figures(
    store: Path, small: Tuning
):
    first = replace(small, name="read")
    run_id = track(store, first, 2)
    assert run_id not in list_runs(store)["run_id"].to_list()
    assert read_tuned(store, "small", "read") == read_tuned(store, "small", run_id)
    assert read_tuned(store, "small", "read")[1]["recommended"] == QUICK.to_dict()
    track(store, first, 6)
    kept, told_of = read_tuned(store, "small", "read")[1], open_store(store).get_run(run_id).data
    assert len(kept["trials"]) == int(told_of.tags["trials"]) == 6
    assert told_of.metrics["tuning.more"] == kept["more"]
    with pytest.raises(WrongUsage, match="Did you mean 'read'"):
        read_tuned(store, "small", "raed")
    with pytest.raises(WrongUsage, match="Tune first: evenhand tune"):
        read_tuned(store, "large", "read")

"""Other ways of growing the trees, tried on dates that no comparison makes a claim about.

Tuning dates lie before the first test date and are settled by it: each trial learns what was known by a tuning date,
ranks everybody on it, and is judged by what was found before the first test date. So parameters chosen here have seen
nothing that a later comparison reports.

A trial is worth the confirmed leads that a list of reviewers' capacity would hold, over all tuning dates. Of these
there are few, and most trials would tie; so lists of twice and five times the capacity count as well, as what one
capacity of them holds on average. A confirmed lead within capacity thus counts .57, one within twice the capacity .23,
one within five times .07: near misses tell trials apart, and what reviewers would have seen decides.

The first trial is always the usual parameters. The best of many trials looks better than it is, so it is recommended
only where the interval of its lead over the usual ones, persons resampled and widened for every trial that was looked
at, lies above zero.

Optuna draws and prunes the trials and keeps them in SQLite. Each is drawn from a seed of its own and the trials before
it, so a tuning that was killed and goes on is the tuning that was not.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from statistics import NormalDist
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from features.definition import ForceDefinition
from features.errors import DataRefused, WrongUsage
from features.locking import sole_writer
from models.booster import matrix, raw_scores, read_booster
from models.experiment import Study, Teaching, grow, labels_to_judge_by, teach
from models.metrics import LEAST_DRAWS, Interval, count_listed, measure, places, resample_persons
from models.ranker import Params
from models.splits import settled_as_ofs

if TYPE_CHECKING:
    import altair
    import optuna

TUNING_DATES = 3
# Lists as long as so many times the capacity tell one trial's worth.
WIDTHS = (1, 2, 5)
# Trials drawn at random before their results guide the next, and complete ones before the worst are pruned.
AT_RANDOM, BEFORE_PRUNING = 10, 5
USUAL = 0  # the trial of the usual parameters
DATABASE = "optuna.db"


@dataclass(frozen=True)
class Range:
    """Where a parameter may lie, ends included; `log` where a step is a factor and not an amount."""

    low: float
    high: float
    log: bool = False


# Bounded so that a reviewer can follow the trees and exact contributions stay cheap; and whoever teaches keeps the larger
# part, since of few findings trees learn chance, and what ordinary explanations look like.
SPACE: Mapping[str, Range] = {
    "rounds": Range(100, 800),
    "leaves": Range(2, 16, log=True),
    "learning_rate": Range(0.01, 0.2, log=True),
    "least_rows": Range(5, 200, log=True),
    "l2_share": Range(1e-4, 0.1, log=True),
    "feature_share": Range(0.1, 1.0),
    "row_share": Range(0.4, 1.0),
    "teacher_share": Range(0.5, 1.0),
}

State = Literal["completed", "pruned"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Tuning:
    """What is tuned, and on what. The same tuning goes on with the trials it has; another begins anew.

    Attributes:
        study: its test dates are the tuning dates (see `tuning_dates`), judged by the first test date.
        start: the usual parameters, with the seed of every training.
        seed: of the draws of trials.
        capacity: places a batch; 0 for one in a hundred and at least ten.
        made_by: code and libraries, by name; another one begins the study anew.
        draws: resamples behind the interval.
    """

    study: Study
    start: Params
    seed: int
    capacity: int = 0
    space: Mapping[str, Range] = field(default_factory=lambda: SPACE)
    name: str = "tuning"
    made_by: Mapping[str, str] = field(default_factory=dict)
    draws: int = 1000

    def __post_init__(self) -> None:
        if self.draws < LEAST_DRAWS:
            raise WrongUsage(f"draws = {self.draws}: an interval needs at least {LEAST_DRAWS} resamples.")
        for name, range_ in self.space.items():
            if not range_.low <= getattr(self.start, name) <= range_.high:
                raise ValueError(
                    f"the usual {name}, {getattr(self.start, name)}, is not in the space that is searched"
                )

    @cached_property
    def rests_on(self) -> dict[str, str]:
        """What trials follow from, by name; where one differs, earlier trials say nothing about later ones."""
        study = self.study
        return {
            "records": _digest(dict(study.accepted.fingerprints)),
            "features": study.table.fingerprint,
            "dates": ", ".join(map(str, (*(fold.test_as_of for fold in study.folds), study.judged_by))),
            "usual parameters": _digest(self.start.to_dict()),
            "space": _digest({name: asdict(range_) for name, range_ in self.space.items()}),
            "capacity": str(self.capacity),
            "seed": str(self.seed),
            "Optuna": version("optuna"),
            **self.made_by,
        }

    @cached_property
    def key(self) -> str:
        """The same for the same tuning under the same name."""
        return _digest([self.study.force.name, self.name, self.rests_on])[:12]

    @property
    def title(self) -> str:
        return f"{self.study.force.name} {self.name} {self.key}"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One way of growing the trees, and what its lists held.

    Attributes:
        number: 0 is the usual parameters.
        worth: by tuning date, see the module; a pruned trial lacks the last.
        confirmed: by tuning date, confirmed people at capacity, expected over ties.
        seconds: of training and ranking.
        began_ms, ended_ms: since 1970.
    """

    number: int
    state: State
    params: Params
    worth: Mapping[date, float]
    confirmed: Mapping[date, float]
    seconds: float
    began_ms: int
    ended_ms: int

    @property
    def total(self) -> float:
        """Worth over the dates it was tried on."""
        return math.fsum(self.worth.values())

    def metrics(self) -> dict[str, float]:
        """Figures by name: over all tuning dates where it was tried on all, and by date."""
        by_date = {
            f"{day}/tuning.{name}": value
            for name, values in (("worth", self.worth), ("leads_confirmed", self.confirmed))
            for day, value in values.items()
        }
        if self.state == "pruned":
            return by_date
        return {
            "tuning.worth": self.total,
            "tuning.leads_confirmed": math.fsum(self.confirmed.values()),
            **by_date,
        }

    def __str__(self) -> str:
        found = f"worth {self.total:.2f}, {math.fsum(self.confirmed.values()):.1f} confirmed at capacity"
        where = f" on {len(self.worth)} dates, pruned" if self.state == "pruned" else ""
        return f"trial {self.number}: {found}{where} ({self.seconds:.1f} s)"


@dataclass(frozen=True, eq=False, kw_only=True)
class Tuned:
    """All trials of a tuning, and what follows.

    Attributes:
        tuning_dates: what trials were tried on.
        before: nothing found from this day on was looked at; a model tested earlier must not use the result.
        listed: places at capacity, over all tuning dates.
        best: of the completed trials, the one of most worth.
        more: worth of the best less that of the usual parameters.
        interval: of `more`, persons resampled, 95 % over all trials together.
        new_because: what differs from the last tuning of this name, whose trials therefore do not count.
    """

    key: str
    force: str
    name: str
    seed: int
    tuning_dates: tuple[date, ...]
    before: date
    listed: int
    space: Mapping[str, Range]
    rests_on: Mapping[str, str]
    trials: tuple[Trial, ...]
    best: Trial
    more: float
    interval: Interval
    new_because: tuple[str, ...]

    @property
    def usual(self) -> Trial:
        return self.trials[USUAL]

    @property
    def better(self) -> bool:
        """Whether the best is better than the usual parameters by more than chance and choice explain."""
        return self.interval.low > 0

    @property
    def recommended(self) -> Params:
        return (self.best if self.better else self.usual).params

    @property
    def says(self) -> str:
        """The answer in two sentences."""
        n_pruned = sum(trial.state == "pruned" for trial in self.trials)
        days = "1 date" if len(self.tuning_dates) == 1 else f"{len(self.tuning_dates)} dates"
        tried = f"{len(self.trials)} trials ({n_pruned} pruned) on {days} before {self.before}."
        if self.best is self.usual:
            return f"{tried} None did better than the usual parameters, which are recommended."
        lead = (
            f"Trial {self.best.number} is worth {self.more:+.2f} confirmed leads against the usual parameters "
            f"({self.interval.low:+.2f} to {self.interval.high:+.2f}, widened for all that were looked at)"
        )
        if self.better:
            return f"{tried} {lead}: it is recommended."
        return f"{tried} {lead}: that may be chance, and the usual parameters are recommended."

    def frame(self) -> pl.DataFrame:
        """One row a trial: trial, state, worth and leads_confirmed over the dates it was tried on, seconds, and
        the parameters that were searched."""
        return pl.DataFrame(
            [
                {
                    "trial": trial.number,
                    "state": trial.state,
                    "worth": trial.total,
                    "leads_confirmed": math.fsum(trial.confirmed.values()),
                    "seconds": trial.seconds,
                    **{name: getattr(trial.params, name) for name in self.space},
                }
                for trial in self.trials
            ],
            infer_schema_length=None,
        )

    def regret(self) -> pl.DataFrame:
        """How far each completed trial stays behind the best of each tuning date: trial, a column a date, and `all`
        behind the best over all."""
        completed = [trial for trial in self.trials if trial.state == "completed"]
        best_on = {day: max(trial.worth[day] for trial in completed) for day in self.tuning_dates}
        return pl.DataFrame(
            [
                {
                    "trial": trial.number,
                    **{str(day): best_on[day] - trial.worth[day] for day in self.tuning_dates},
                    "all": self.best.total - trial.total,
                }
                for trial in completed
            ]
        )

    def chart(self) -> altair.LayerChart | altair.FacetChart:
        """Worth by trial: completed, pruned (as far as they went), the best so far, and the usual parameters."""
        import altair

        rows = self.frame().select("trial", "state", "worth")
        best = rows.filter(pl.col("state") == "completed").with_columns(worth=pl.col("worth").cum_max())
        x, y = altair.X("trial:Q", title="trial"), altair.Y("worth:Q", title="worth over the tuning dates")
        shades = altair.Scale(domain=["completed", "pruned"], range=["#1b6ca8", "#c9c9c9"])
        points = altair.Chart(rows).mark_point(filled=True, size=50).encode(
            x=x, y=y, color=altair.Color("state:N", title=None, scale=shades), tooltip=["trial", "state", "worth"]
        )  # fmt: skip
        so_far = altair.Chart(best).mark_line(interpolate="step-after", color="#1b6ca8").encode(x=x, y=y)
        usual = altair.Chart(rows.head(1)).mark_rule(strokeDash=[4, 4]).encode(y=y)
        return (usual + so_far + points).properties(
            width=520, height=220, title="trials; dashed: the usual parameters"
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it; what is kept with the run."""
        return {
            "key": self.key,
            "force": self.force,
            "name": self.name,
            "seed": self.seed,
            "tuning_dates": [day.isoformat() for day in self.tuning_dates],
            "before": self.before.isoformat(),
            "rests_on": dict(self.rests_on),
            "new_because": list(self.new_because),
            "best": self.best.number,
            "more": self.more,
            "low": self.interval.low,
            "high": self.interval.high,
            "recommended": self.recommended.to_dict(),
            "trials": self.frame().to_dicts(),
            "regret": self.regret().to_dicts(),
        }

    def _repr_html_(self) -> str:
        ranked = self.frame().sort("state", "worth", descending=[False, True])
        return f"<p>{self.says}</p>{ranked._repr_html_()}"


def tuning_dates(
    force: ForceDefinition, candidates: Sequence[date], *, before: date, most: int = TUNING_DATES
) -> tuple[date, ...]:
    """The last candidates that are settled by a day, and by which others were settled to learn from.

    Args:
        before: the first test date of what is to be compared.

    Raises:
        WrongUsage: there is none.
    """
    wait = {
        "horizon_months": force.outcome.horizon_months,
        "settle_months": force.outcome.settle_months,
    }
    settled = settled_as_ofs(candidates, by=before, **wait)
    usable = [day for day in settled if settled_as_ofs(candidates, by=day, **wait)]
    if not usable:
        months = sum(wait.values())
        raise WrongUsage(
            f"no date before the first test date {before} can be tuned on: a tuning date must be settled by then, which "
            f"takes {months} months, and another {months} months earlier must lie a date to learn from. Use an extract "
            "that goes further back, or test on later dates: --test-dates."
        )
    return tuple(usable[-most:])


def tune(
    tuning: Tuning,
    *,
    trials: int,
    storage: Path | None = None,
    told: Callable[[Trial], None] | None = None,
    progress: Callable[[str], None] | None = None,
) -> Tuned:
    """Try parameters until there are so many trials, those of an earlier run of the same tuning among them.

    Args:
        trials: in all, pruned ones too.
        storage: the folder that keeps trials; None to keep none.
        told: of each trial, when it has ended.

    Raises:
        WrongUsage: fewer than two trials, or another process is tuning here.
        DataRefused: on no tuning date anybody is confirmed among those to learn from.
    """
    if trials < 2:
        raise WrongUsage(
            f"--trials {trials}: the first trial is the usual parameters, so at least 2 are needed."
        )
    dates = _tuning_dates(tuning, progress)
    scores: dict[int, list[np.ndarray]] = {}
    with _trials_kept(storage, tuning) as (tried, keep, new_because):
        while (number := len(tried.trials)) < trials:
            if progress:
                progress(f"trial {number + 1} of {trials}")
            scores[number] = _try(tried, tuning, dates)
            keep(tried.trials[-1])
            if told:
                told(_read(tried.trials[-1], tuning, dates))
        found = tuple(_read(one, tuning, dates) for one in tried.trials)
    best = max((trial for trial in found if trial.state == "completed"), key=lambda trial: trial.total)
    if progress:
        progress("measuring the best against the usual parameters")
    more, interval = _lead_of(best, found[USUAL], dates, scores, tuning, looks=len(found) - 1)
    judged_by = tuning.study.judged_by
    assert judged_by is not None  # _tuning_dates holds it to be
    return Tuned(
        key=tuning.key,
        force=tuning.study.force.name,
        name=tuning.name,
        seed=tuning.seed,
        tuning_dates=tuple(one.as_of for one in dates),
        before=judged_by,
        listed=sum(one.places for one in dates),
        space=tuning.space,
        rests_on=tuning.rests_on,
        trials=found,
        best=best,
        more=more,
        interval=interval,
        new_because=new_because,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class _Date:
    """What every trial meets on a tuning date.

    Attributes:
        teaching: what was known by then.
        features, persons, confirmed: of everybody to be ranked.
        places: at capacity.
    """

    as_of: date
    study: Study
    teaching: Teaching
    features: np.ndarray
    persons: pl.Series
    confirmed: np.ndarray
    places: int

    def scores(self, params: Params) -> np.ndarray:
        booster = grow(self.study, self.teaching, params).booster
        return raw_scores(read_booster(booster, self.study.table.schema), self.features)

    def worth(self, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Of a ranking under each row of `weights`, `[rows]`."""
        lengths = {str(width): width * self.places for width in WIDTHS}
        found = measure(scores, self.confirmed, lengths, weights).found
        return np.mean([found[str(width)] / width for width in WIDTHS], axis=0)


def _tuning_dates(tuning: Tuning, progress: Callable[[str], None] | None) -> list[_Date]:
    """The tuning dates by which anybody was confirmed, with what does not depend on how trees are grown."""
    study = tuning.study
    if study.judged_by is None or study.judged_by <= max(fold.test_as_of for fold in study.folds):
        raise ValueError("a tuning is judged by a day after its dates")
    dates, refused = [], None
    for fold in study.folds:
        if progress:
            progress(f"teaching what was known by {fold.test_as_of}")
        try:
            teaching = teach(study, fold.train_as_ofs, seen_by=fold.test_as_of, params=tuning.start)
        except DataRefused as error:
            refused = error
            if progress:
                progress(f"leaving out {fold.test_as_of}: {error}")
            continue
        people = study.table.frame.filter(pl.col("as_of") == fold.test_as_of)
        became = people.select("person_key", "as_of").join(
            labels_to_judge_by(study, fold.test_as_of),
            on=["person_key", "as_of"],
            how="left",
            maintain_order="left",
        )
        dates.append(
            _Date(
                as_of=fold.test_as_of,
                study=study,
                teaching=teaching,
                features=matrix(people, study.table.schema),
                persons=people["person_key"],
                confirmed=became["confirmed"].to_numpy(),
                places=places(len(people), tuning.capacity),
            )
        )
    if refused and not dates:
        raise refused
    return dates


def _try(tried: optuna.Study, tuning: Tuning, dates: Sequence[_Date]) -> list[np.ndarray]:
    """One trial more: parameters drawn from what is known of the earlier ones, tried date by date.

    Returns:
        Everybody's scores on each date it was tried on.
    """
    import optuna

    number = len(tried.trials)
    draws = int(np.random.SeedSequence([tuning.seed, number]).generate_state(1)[0])
    tried.sampler = optuna.samplers.TPESampler(seed=draws, n_startup_trials=AT_RANDOM)
    if number == USUAL:
        tried.enqueue_trial({name: getattr(tuning.start, name) for name in tuning.space})
    trial = tried.ask(_distributions(tuning))
    params = replace(tuning.start, **trial.params)
    began, pruned = perf_counter(), False
    worth, confirmed, scores, spent = [], [], [], 0.0
    for step, one in enumerate(dates):
        scores.append(one.scores(params))
        worth.append(float(one.worth(scores[-1], np.ones((1, len(one.features)), np.uint8))[0]))
        confirmed.append(count_listed(scores[-1], one.confirmed, one.places).expected)
        spent += perf_counter() - began
        # Sums never fall, and Optuna's pruner holds the best step so far to the others' at this one.
        trial.report(math.fsum(worth), step)
        if pruned := step + 1 < len(dates) and trial.should_prune():
            break
        began = perf_counter()
    trial.set_user_attr("dates", {"worth": worth, "confirmed": confirmed, "seconds": spent})
    if pruned:
        tried.tell(trial, state=optuna.trial.TrialState.PRUNED)
    else:
        tried.tell(trial, math.fsum(worth))
    return scores


def _distributions(tuning: Tuning) -> dict[str, optuna.distributions.BaseDistribution]:
    from optuna.distributions import FloatDistribution, IntDistribution

    return {
        name: (
            IntDistribution(int(range_.low), int(range_.high), log=range_.log)
            if isinstance(getattr(tuning.start, name), int)
            else FloatDistribution(range_.low, range_.high, log=range_.log)
        )
        for name, range_ in tuning.space.items()
    }


def _read(frozen: optuna.trial.FrozenTrial, tuning: Tuning, dates: Sequence[_Date]) -> Trial:
    found = frozen.user_attrs["dates"]
    assert frozen.datetime_start is not None  # a finished trial has both
    assert frozen.datetime_complete is not None
    days = [one.as_of for one in dates]
    return Trial(
        number=frozen.number,
        state="pruned" if frozen.state.name == "PRUNED" else "completed",
        params=replace(tuning.start, **frozen.params),
        worth=dict(zip(days, found["worth"], strict=False)),
        confirmed=dict(zip(days, found["confirmed"], strict=False)),
        seconds=found["seconds"],
        began_ms=round(1000 * frozen.datetime_start.timestamp()),
        ended_ms=round(1000 * frozen.datetime_complete.timestamp()),
    )


def _lead_of(
    best: Trial,
    usual: Trial,
    dates: Sequence[_Date],
    scores: Mapping[int, Sequence[np.ndarray]],
    tuning: Tuning,
    *,
    looks: int,
) -> tuple[float, Interval]:
    """How much more the best is worth than the usual parameters, and a 95 % interval over all `looks` together.

    Args:
        scores: by trial and date, as far as they are known; those of an earlier run are made again.
    """
    if best is usual:
        return 0.0, Interval(0.0, 0.0)
    persons = pl.concat([one.persons for one in dates]).unique().sort().alias("person_key")
    numbered = persons.to_frame().with_row_index("person")
    resamples = resample_persons(len(persons), draws=tuning.draws, seed=tuning.seed)
    more = np.zeros(1 + tuning.draws)
    for place, one in enumerate(dates):
        found = one.persons.to_frame().join(numbered, on="person_key", how="left", maintain_order="left")
        weights = resamples.weights[:, found["person"].to_numpy()]
        of_best, of_usual = (
            one.worth(
                scores[trial.number][place] if trial.number in scores else one.scores(trial.params), weights
            )
            for trial in (best, usual)
        )
        more += of_best - of_usual
    # Percentiles so far out would need many thousand draws, so the draws only give the spread.
    half = NormalDist().inv_cdf(1 - 0.025 / looks) * float(np.std(more[1:]))
    return float(more[0]), Interval(float(more[0]) - half, float(more[0]) + half)


Keep = Callable[["optuna.trial.FrozenTrial"], None]


@contextmanager
def _trials_kept(
    storage: Path | None, tuning: Tuning
) -> Iterator[tuple[optuna.Study, Keep, tuple[str, ...]]]:
    """Optuna's study of a tuning with the trials it has, what keeps one more, and what differs from the last one of
    its name where it begins anew.

    Trials are drawn from memory and kept when they have ended, each in one transaction: kept step by step they would
    wait for the disk a dozen times each, and a killed process would leave one that nobody ends.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=BEFORE_PRUNING)
    tried = optuna.create_study(direction="maximize", pruner=pruner)
    if storage is None:
        yield tried, lambda _: None, ()
        return
    with sole_writer(storage):
        database = optuna.storages.RDBStorage(f"sqlite:///{(storage / DATABASE).resolve()}")
        try:
            new_because = _what_differs(database, tuning)
            kept = optuna.create_study(
                storage=database, study_name=tuning.title, direction="maximize", load_if_exists=True
            )
            if "rests_on" not in kept.user_attrs:
                kept.set_user_attr("rests_on", tuning.rests_on)
            tried.add_trials(kept.get_trials(deepcopy=False))
            yield tried, kept.add_trial, new_because
        finally:
            database.remove_session()
            database.engine.dispose()


def _what_differs(database: optuna.storages.BaseStorage, tuning: Tuning) -> tuple[str, ...]:
    """What the last tuning of this name rested on and this one does not; nothing where it goes on or is the first."""
    import optuna

    prefix = tuning.title.removesuffix(tuning.key)
    names = [study.study_name for study in optuna.get_all_study_summaries(database)]
    earlier = [name for name in names if name.startswith(prefix) and len(name) == len(tuning.title)]
    if not earlier or tuning.title in earlier:
        return ()
    then = optuna.load_study(study_name=earlier[-1], storage=database).user_attrs.get("rests_on", {})
    now = tuning.rests_on
    return tuple(name for name in (*now, *(then.keys() - now.keys())) if then.get(name) != now.get(name))


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()

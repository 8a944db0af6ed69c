"""One study of a force: past lists by every method, and the model that would be used from now on.

Scores of several folds are compared as log-odds above the base rate of what each was trained on: all
models share parameters and none weights its classes, so the same evidence moves each by about the same
amount, while the base rate, which drifts with how fast findings are made, is taken out. The published
threshold is found on that scale over all test dates together and carried to the final model's own base
rate. The spread of every fold on that scale is kept with the run, so that this can be checked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Protocol

import numpy as np
import polars as pl
import polars.selectors as cs

from features import lineage
from features.build import FeatureSchema, FeatureTable, build
from features.definition import ForceDefinition
from features.errors import DataRefused, WrongUsage
from features.events import Records
from features.labels import ABOUT, cohort
from features.labels import labels as read_labels
from features.specs import Catalogue
from features.store import FeatureStore
from models.backtest import KEYS, Backtest, Line, lines, performance
from models.baselines import METHODS, Method, scores_by_method
from models.booster import log_odds, matrix, probability, raw_scores, read_booster
from models.calibration import Calibration, calibrate
from models.explain import contributions, reasons, wordings
from models.heads import alike
from models.metrics import LiveCounts, chance_of_listing, places, wilson
from models.ranker import Params, askable, concerns, directions, opinion, train, usual_params
from models.splits import Fold, LabelChoice, settled_as_ofs, temporal_folds, train_as_ofs
from models.trained import Threshold, TrainedModel

Progress = Callable[[str], None]
OUTCOMES = ("confirmed", "wrong", "inconclusive", "open")
# Of why somebody stands where in a backtest: how many reasons each way, and what of them.
REASONS_KEPT = 3
KEPT_OF_REASONS = ("person_key", "as_of", "direction", "place", "family", "contribution", "words")


class AcceptedRecords(Records, Protocol):
    """Accepted rows that also say which days they cover."""

    @property
    def last_date(self) -> date | None: ...


@dataclass(frozen=True, eq=False, kw_only=True)
class Study:
    """What every fold of an experiment works on: features and dates, the same for each method.

    Attributes:
        table: features of the cohort on every date of the study.
        folds: tests, and dates on which only reviews are replayed.
        until: the final model may know what was found before this day.
        judged_by: findings made before this day count on the test dates; None: all in the extract.
        labels: what models learn from; it decides which dates.
        final_as_ofs: dates to learn from by then.
    """

    force: ForceDefinition
    accepted: AcceptedRecords
    catalogue: Catalogue
    table: FeatureTable
    folds: tuple[Fold, ...]
    replay_only: tuple[date, ...]
    until: date
    judged_by: date | None
    labels: LabelChoice
    final_as_ofs: tuple[date, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Lesson:
    """What was known by a day about people on some dates.

    Attributes:
        rows: feature rows, one a person and date.
        targets: for each, 1 for confirmed, 0 for not, or the probability between.
        confirmed: how many were confirmed by that day.
        about: by kind of conduct, where the records tell kinds apart, the same as `targets`.
    """

    rows: pl.DataFrame
    targets: np.ndarray
    confirmed: int
    about: Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False, kw_only=True)
class Teaching:
    """A lesson as trees are taught it, however they are grown.

    Attributes:
        features: `[rows, columns]`.
        targets: as in the lesson.
        taught: the opinion of whoever teaches, `[rows]`; None where the labels alone do.
        asking: the features that trees may ask for; None where any.
        work: the features by which trees even out their highest scores (see `models.ranker.train`).
    """

    features: np.ndarray = field(repr=False)
    targets: np.ndarray = field(repr=False)
    taught: np.ndarray | None = field(repr=False)
    asking: frozenset[str] | None = field(repr=False)
    work: tuple[str, ...] = field(repr=False)
    confirmed: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Fitted:
    """A model trained on some dates, and what they held.

    Attributes:
        expected: how many of the rows are or will be confirmed, as far as known.
    """

    booster: str = field(repr=False)
    rows: int
    confirmed: int
    expected: float

    @property
    def base_rate(self) -> float:
        return self.expected / self.rows


@dataclass(frozen=True, eq=False, kw_only=True)
class Experiment:
    """What was learnt, and what it would have meant for people.

    Attributes:
        backtest: every method's scores on the test dates. LightGBM's are log-odds above the base rate of
            what each fold was trained on.
        lines: counts at capacity by method, date and basis.
        performance: rank measures with intervals (see `models.backtest.performance`).
        live: review outcomes of the leads that were opened, if reviews were given.
        spread: by test date, where LightGBM's scores lie: as_of, base_rate of the training dates, and
            quantiles of log-odds above it.
        model: trained on all that may be learnt from by the end.
    """

    backtest: Backtest
    lines: tuple[Line, ...]
    performance: pl.DataFrame
    live: LiveCounts | None
    spread: pl.DataFrame
    folds: tuple[Fold, ...]
    model: TrainedModel
    seed: int
    draws: int

    @cached_property
    def counts(self) -> pl.DataFrame:
        """Counts at capacity over all test dates, one row a method (see `models.compare`)."""
        from models.compare import compare

        return compare({"this run": self}, draws=self.draws, seed=self.seed).frame()

    def summary(self) -> pl.DataFrame:
        """AUC, precision and recall by test date and method, one row each, as the command line prints it."""
        wanted = [
            "auc",
            *(
                f"{what}_at_{end}"
                for what in ("precision", "recall")
                for end in ("1pc", "2pc", "5pc", "10pc")
            ),
        ]
        return (
            self.performance.filter(pl.col("measure").is_in(wanted))
            .pivot("measure", index=["as_of", "method"], values="value")
            .select("as_of", "method", *wanted)
        )

    def _repr_html_(self) -> str:
        return f"<p>{self.model.threshold.says}</p>{self.summary()._repr_html_()}"


def run_experiment(
    force: ForceDefinition,
    accepted: AcceptedRecords,
    *,
    test_as_ofs: Sequence[date],
    train_candidates: Sequence[date],
    params: Params | None = None,
    capacity: int = 0,
    seed: int = 1,
    catalogue: Catalogue | None = None,
    planted: pl.DataFrame | None = None,
    reviews: pl.DataFrame | None = None,
    until: date | None = None,
    judged_by: date | None = None,
    min_lift: float = 3.0,
    draws: int = 1000,
    store: FeatureStore | None = None,
    progress: Progress | None = None,
) -> Experiment:
    """Backtest every method, then train the model to be used.

    Args:
        test_as_ofs: dates on which lists are made; each model knows only what was known by then.
        train_candidates: dates that may be learnt from once settled, or once their horizon has passed (see
            `Params.labels`); test dates are learnt from likewise.
        params: of the ranker; its seed is replaced by `seed`.
        capacity: places a batch; 0 for one in a hundred and at least ten.
        catalogue: the force's ordinary one where None. With a research idea the model is not promotable.
        planted: person_key, as_of, planted (misconduct, innocent, lookalike), in a simulation.
        reviews: person_key, as_of, outcome (confirmed, wrong, inconclusive, open) of earlier leads.
        until: the final model may know what was found before this day; the day after the last record where
            None.
        judged_by: on the test dates too, only findings made before this day count. None: all in the extract,
            also those of releases long after its last event.
        min_lift: what multiple of the base rate the confirmed rate at the threshold must be.
        draws: resamples behind each interval.
        store: where features of earlier runs are kept.

    Raises:
        WrongUsage: a test date before which nothing was settled, or too few draws.
        DataRefused: nobody is confirmed among those to learn from, or reviews have an unknown outcome.
    """
    say = progress or (lambda _: None)
    params = replace(params or usual_params(force), seed=seed)
    _check_reviews(reviews)
    study = prepare(
        force,
        accepted,
        test_as_ofs=test_as_ofs,
        train_candidates=train_candidates,
        catalogue=catalogue,
        reviews=reviews,
        until=until,
        judged_by=judged_by,
        labels=params.labels,
        store=store,
        progress=progress,
    )
    backtest, spread = run_backtest(study, params, capacity=capacity, planted=planted, progress=progress)
    say(f"training on {len(study.final_as_ofs)} dates")
    fitted = fit(study, study.final_as_ofs, seen_by=study.until, params=params)
    threshold = find_threshold(backtest, base_rate=fitted.base_rate, min_lift=min_lift)
    say("measuring")
    calibration = calibrate(backtest, draws=draws, seed=seed)
    return Experiment(
        backtest=backtest,
        lines=lines(backtest, reviews),
        performance=performance(backtest, draws=draws, seed=seed),
        live=None if reviews is None else live_counts(reviews),
        spread=spread,
        folds=study.folds,
        model=_trained(study, fitted, threshold, calibration, params, capacity),
        seed=seed,
        draws=draws,
    )


def prepare(
    force: ForceDefinition,
    accepted: AcceptedRecords,
    *,
    test_as_ofs: Sequence[date],
    train_candidates: Sequence[date],
    catalogue: Catalogue | None = None,
    reviews: pl.DataFrame | None = None,
    until: date | None = None,
    judged_by: date | None = None,
    labels: LabelChoice = "settled",
    store: FeatureStore | None = None,
    progress: Progress | None = None,
) -> Study:
    """Features on every date of a study, built once."""
    outcome = force.outcome
    wait = {"horizon_months": outcome.horizon_months, "settle_months": outcome.settle_months}
    tests = set(test_as_ofs)
    reviewed = set() if reviews is None else set(reviews["as_of"])
    candidates = sorted({*train_candidates, *tests})
    folds = temporal_folds(sorted(tests), candidates, **wait, labels=labels)
    # A replay needs a model that knew only what was settled by then; dates too early for one are left out.
    replay_only = [day for day in sorted(reviewed - tests) if settled_as_ofs(candidates, by=day, **wait)]
    if replay_only:
        folds += temporal_folds(replay_only, candidates, **wait, labels=labels)
    until = until or _day_after_the_last(accepted)
    final = train_as_ofs(candidates, by=until, **wait, labels=labels)
    if not final:
        raise WrongUsage(
            f"no as-of date could be learnt from by {until}, so there is nothing to train on. Use a later `until`."
        )
    as_ofs = sorted({*final, *(day for fold in folds for day in (fold.test_as_of, *fold.train_as_ofs))})
    catalogue = catalogue or force.catalogue.ordinary()
    if progress:
        progress(f"building features of {len(as_ofs)} dates")
    return Study(
        force=force,
        accepted=accepted,
        catalogue=catalogue,
        table=build(force, accepted, as_ofs, catalogue=catalogue, store=store, progress=progress),
        folds=folds,
        replay_only=tuple(replay_only),
        until=until,
        judged_by=judged_by,
        labels=labels,
        final_as_ofs=final,
    )


def run_backtest(
    study: Study,
    params: Params,
    *,
    capacity: int,
    planted: pl.DataFrame | None = None,
    progress: Progress | None = None,
) -> tuple[Backtest, pl.DataFrame]:
    """Every method's scores on each test date, and where LightGBM's lie (see `Experiment.spread`)."""
    parts, spreads, told = [], [], []
    for fold in study.folds:
        if progress:
            progress(f"testing on {fold.test_as_of}, trained on {len(fold.train_as_ofs)} dates")
        scores, base_rate, of_listed = _score_fold(study, fold, params, capacity)
        parts.append(scores)
        told.append(of_listed)
        spreads.append(_spread(fold.test_as_of, base_rate, scores["lightgbm"]))
    scores = pl.concat(parts)
    if planted is not None:
        kinds = planted.select(*KEYS, "planted")
        scores = scores.join(kinds, on=list(KEYS), how="left", maintain_order="left").with_columns(
            pl.col("planted").fill_null("innocent")
        )
    methods = tuple(method for method in METHODS if method in scores.columns)
    backtest = Backtest(
        scores=scores,
        methods=methods,
        capacity=capacity,
        replay_only=study.replay_only,
        reasons=pl.concat(told, how="vertical_relaxed"),
    )
    return backtest, pl.concat(spreads)


def _score_fold(
    study: Study, fold: Fold, params: Params, capacity: int
) -> tuple[pl.DataFrame, float, pl.DataFrame]:
    """Every method's scores on a test date, the base rate learnt from, and why whoever a method lists stands where."""
    schema = study.table.schema
    fitted = fit(study, fold.train_as_ofs, seen_by=fold.test_as_of, params=params)
    people = study.table.frame.filter(pl.col("as_of") == fold.test_as_of)
    booster, features = read_booster(fitted.booster, schema), matrix(people, schema)
    raw = raw_scores(booster, features)
    settled = lesson(study, fold.settled_as_ofs, seen_by=fold.test_as_of, labels="settled")
    scores: dict[Method, np.ndarray] = {
        "lightgbm": raw - log_odds(fitted.base_rate),
        **scores_by_method(study.force.baselines, schema, settled.rows, settled.targets, people),
    }
    listed = _listed_by_any(scores, capacity)
    why = reasons(
        people.filter(listed),
        features[listed],
        contributions(booster, features[listed], raw[listed]),
        schema,
        wordings(study.catalogue, schema.names),
        top=REASONS_KEPT,
    )
    became = labels_to_judge_by(study, fold.test_as_of)
    return (
        people.select(KEYS)
        .join(became, on=list(KEYS), how="left", maintain_order="left")
        .with_columns(pl.Series(method, of_method, dtype=pl.Float64) for method, of_method in scores.items()),
        fitted.base_rate,
        why.select(KEPT_OF_REASONS),
    )


def _listed_by_any(scores: Mapping[Method, np.ndarray], capacity: int) -> np.ndarray:
    """Whom any method lists, whatever a draw between ties may say."""
    return np.any(
        [chance_of_listing(each, places(len(each), capacity)) == 1 for each in scores.values()], axis=0
    )


def _day_after_the_last(accepted: AcceptedRecords) -> date:
    if accepted.last_date is None:
        raise WrongUsage(
            "no event was accepted, so there is nothing to learn from. See the validation account."
        )
    return accepted.last_date + timedelta(days=1)


def labels_to_judge_by(study: Study, as_of: date) -> pl.DataFrame:
    """What is said of a test date: by the whole extract, or by what was known before `judged_by`.

    Settled only if its findings had time to be made in it. Whom one of our own leads alone confirms is as good as
    unsettled: what the force would have found by itself, nobody knows.
    """
    outcome = study.force.outcome
    if study.judged_by is not None:
        return _by_the_force_itself(
            read_labels(
                study.force, study.accepted, [as_of], seen_by=datetime.combine(study.judged_by, time())
            )
        )
    closed = (
        study.accepted.scan(outcome.cases.table.name)
        .select(pl.col(outcome.closed_at).cast(pl.Date).max())
        .collect()
        .item()
    )
    # Findings may come from a release long after the last event (Chicago), so the later of the two counts.
    released = max(day for day in (closed, study.accepted.last_date, study.until) if day) + timedelta(days=1)
    settled = settled_as_ofs(
        [as_of], by=released, horizon_months=outcome.horizon_months, settle_months=outcome.settle_months
    )
    known = read_labels(study.force, study.accepted, [as_of], seen_by=None)
    return _by_the_force_itself(known.with_columns(settled=pl.lit(bool(settled))))


def _by_the_force_itself(known: pl.DataFrame) -> pl.DataFrame:
    """Labels without what a case of one of our own leads alone says: such a person is pending."""
    return known.with_columns(
        confirmed=pl.col("confirmed") & ~pl.col("own_lead"), pending=pl.col("pending") | pl.col("own_lead")
    ).drop("own_lead")


def lesson(study: Study, as_ofs: Sequence[date], *, seen_by: date, labels: LabelChoice) -> Lesson:
    """What can be learnt by a day from some dates.

    Settled: people on settled dates, nobody whose case is still open. Expected: everyone on dates whose horizon
    has passed, open cases with what became of their like; nobody whose open case has no like. In either, nobody
    whom only a case of one of our own leads confirms or may yet: a tool that learnt from those would follow its
    own shadow.
    """
    outcome = study.force.outcome
    known = read_labels(
        study.force, study.accepted, as_ofs, seen_by=datetime.combine(seen_by, time())
    ).filter(~pl.col("own_lead"))
    if labels == "settled":
        usable = known.filter(pl.col("settled") & ~pl.col("pending"))
        target = pl.col("confirmed").cast(pl.Float64)
    else:
        passed = pl.col("as_of").dt.offset_by(f"{outcome.horizon_months}mo") <= pl.lit(seen_by)
        usable = known.filter(passed & pl.col("expected").is_not_null())
        target = pl.col("expected")
    usable = usable.select(*KEYS, "confirmed", cs.starts_with(ABOUT), target=target)
    rows = study.table.frame.join(usable, on=list(KEYS), how="inner", maintain_order="left")
    about = [name for name in usable.columns if name.startswith(ABOUT)]
    return Lesson(
        rows=rows.drop("confirmed", "target", *about),
        targets=rows["target"].to_numpy(),
        confirmed=int(rows["confirmed"].sum()),
        about={name.removeprefix(ABOUT): rows[name].to_numpy() for name in about},
    )


def fit(study: Study, as_ofs: Sequence[date], *, seen_by: date, params: Params) -> Fitted:
    """A model of what was known by a day about some dates."""
    return grow(study, teach(study, as_ofs, seen_by=seen_by, params=params), params)


def teach(study: Study, as_ofs: Sequence[date], *, seen_by: date, params: Params) -> Teaching:
    """What trees are to learn from what was known by a day about some dates."""
    if params.labels != study.labels:
        raise ValueError(f"the study's dates were chosen for {study.labels} labels, not {params.labels} ones")
    learnt = lesson(study, as_ofs, seen_by=seen_by, labels=params.labels)
    schema = study.table.schema
    features = matrix(learnt.rows, schema)
    kinds = concerns(study.catalogue, schema, learnt.about, even_handed=params.even_handed)
    taught = None
    if params.teacher_share > 0:
        taught = opinion(
            features,
            learnt.targets,
            schema,
            params,
            ways=directions(study.catalogue),
            beside=_beside(study.force, learnt.rows, params),
            teams=_teams(study, learnt.rows) if params.even_handed else None,
            kinds=kinds,
        )
    alleged = study.force.outcome.alleged
    return Teaching(
        features=features,
        targets=learnt.targets,
        taught=taught,
        asking=askable(study.catalogue, schema, kinds, alleged.beside)
        if alleged and params.taught_by == "heads"
        else None,
        work=alleged.beside
        if alleged and params.taught_by == "heads" and params.teacher_share > 0 and params.even_handed
        else (),
        confirmed=learnt.confirmed,
    )


def grow(study: Study, teaching: Teaching, params: Params) -> Fitted:
    """A model of what trees are taught; `params` may differ from those of `teach` in how trees are grown."""
    return Fitted(
        booster=train(
            teaching.features,
            teaching.targets,
            study.table.schema,
            params,
            ways=directions(study.catalogue),
            taught=teaching.taught,
            asking=teaching.asking,
            work=teaching.work,
        ),
        rows=len(teaching.features),
        confirmed=teaching.confirmed,
        expected=float(teaching.targets.sum()),
    )


def _beside(force: ForceDefinition, rows: pl.DataFrame, params: Params) -> np.ndarray | None:
    if force.outcome.alleged is None:
        return None
    dates = rows["as_of"].to_physical().to_numpy()
    work = [rows[name].to_physical().to_numpy() for name in force.outcome.alleged.beside]
    return alike(dates, *work) if params.even_handed else alike(dates)


def _teams(study: Study, rows: pl.DataFrame) -> np.ndarray | None:
    """For each row a number that colleagues at the same date have in common, nan where nobody is known to be one."""
    alleged = study.force.outcome.alleged
    if alleged is None or alleged.colleagues is None:
        return None
    known = pl.concat(
        cohort(study.force, study.accepted, day).select(
            "person_key", team=alleged.colleagues, as_of=pl.lit(day)
        )
        for day in rows["as_of"].unique().sort()
    ).with_columns(
        number=pl.when(pl.col("team").is_not_null()).then(pl.struct("as_of", "team").rank("dense"))
    )
    of_rows = rows.select(KEYS).join(known, on=list(KEYS), how="left", maintain_order="left")
    return of_rows["number"].cast(pl.Float64).fill_null(float("nan")).to_numpy()


def find_threshold(backtest: Backtest, *, base_rate: float, min_lift: float) -> Threshold:
    """The lowest score at which, over all test dates, enough of those at or above it were confirmed.

    Enough: `min_lift` times the base rate, and Wilson's lower bound above the base rate. Pending and
    unsettled people are left out. It is set half-way to the next lower score, so that "above" and "at or
    above" mean the same.

    Args:
        base_rate: of what the final model was trained on, to which the threshold is carried.
    """
    known = (
        backtest.scores.filter(pl.col("as_of").is_in(backtest.test_as_ofs))
        .filter(pl.col("confirmed") | (pl.col("settled") & ~pl.col("pending")))
        .sort("lightgbm", descending=True)
    )
    scores, confirmed = known["lightgbm"].to_numpy(), known["confirmed"].to_numpy()
    base = float(confirmed.mean()) if len(confirmed) else 0.0
    listed, found = np.arange(1, len(scores) + 1), np.cumsum(confirmed)
    last_of_tie = np.r_[scores[1:] != scores[:-1], True][: len(scores)]
    lifted = last_of_tie & (found >= min_lift * base * listed) & (found > 0)
    enough = [i for i in np.flatnonzero(lifted) if wilson(found[i], listed[i]).low > base]
    if not enough:
        return Threshold(
            raw=np.inf, score=1.0, above_base=np.inf, min_lift=min_lift, base_rate=base, listed=0, confirmed=0
        )
    end = enough[-1]
    lower = scores[end + 1] if end + 1 < len(scores) else scores[end] - 1.0
    above_base = float((scores[end] + lower) / 2)
    raw = above_base + log_odds(base_rate)
    return Threshold(
        raw=raw,
        score=float(probability(np.array([raw]))[0]),
        above_base=above_base,
        min_lift=min_lift,
        base_rate=base,
        listed=int(listed[end]),
        confirmed=int(found[end]),
    )


def live_counts(reviews: pl.DataFrame) -> LiveCounts:
    """Review outcomes of the leads that were opened."""
    return LiveCounts(
        **{f"leads_{kind}": float((reviews["outcome"].fill_null("open") == kind).sum()) for kind in OUTCOMES}
    )


def _check_reviews(reviews: pl.DataFrame | None) -> None:
    if reviews is None:
        return
    found = set(reviews["outcome"].drop_nulls())
    if unknown := sorted(found - set(OUTCOMES)):
        raise DataRefused(
            f"reviews: expected outcomes {', '.join(OUTCOMES)}, found {', '.join(unknown)}. "
            "A route (welfare, supervisor, prevention, assessment, no action) is not an outcome."
        )


def _spread(as_of: date, base_rate: float, above_base: pl.Series) -> pl.DataFrame:
    quantiles = {f"q{round(1000 * q)}": above_base.quantile(q) for q in (0.5, 0.9, 0.95, 0.99, 0.999)}
    return pl.DataFrame(
        {"as_of": [as_of], "base_rate": [base_rate], **{name: [q] for name, q in quantiles.items()}}
    )


def _trained(
    study: Study,
    fitted: Fitted,
    threshold: Threshold,
    calibration: Calibration,
    params: Params,
    capacity: int,
) -> TrainedModel:
    schema: FeatureSchema = study.table.schema
    marks = lineage.marks_of_set(study.force, schema.names, study.catalogue)
    return TrainedModel(
        force=study.force.name,
        booster=fitted.booster,
        schema=schema,
        words=wordings(study.catalogue, schema.names),
        threshold=threshold,
        capacity=capacity,
        trained_as_ofs=study.final_as_ofs,
        labels_seen_by=study.until,
        horizon_months=study.force.outcome.horizon_months,
        settle_months=study.force.outcome.settle_months,
        rows=fitted.rows,
        confirmed=fitted.confirmed,
        expected=fitted.expected,
        params=params.to_dict(),
        marks={str(mark): reasons for mark, reasons in marks.items()},
        promotable=not any(idea.research for idea in study.catalogue.ideas),
        fingerprints={**study.accepted.fingerprints, "features": study.table.fingerprint},
        calibration=calibration,
    )

"""What a forbidden kind of record would add, and whom it would hurt: measured apart, never used.

Two backtests on the same folds, one with the ideas of a research study and one without; beside them the list by
the column that such records are commonly ranked by (of sickness, the Bradford factor). Nothing is trained for use and nothing can be registered; the answer is a figure and the people newly listed, by what the
records or the answer key say of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from features import lineage
from features.build import FeatureSchema, FeatureTable
from features.definition import ForceDefinition
from features.errors import WrongUsage, did_you_mean
from features.specs import Catalogue
from models.backtest import AT_CAPACITY, KEYS, Backtest, measure_rankings
from models.baselines import METHODS
from models.compare import Comparison, Difference, compare
from models.experiment import AcceptedRecords, Study, prepare, run_backtest
from models.metrics import Basis, chance_of_listing, percentile_interval, places
from models.ranker import Params

Progress = Callable[[str], None]
WITHOUT, WITH, ALONE = "without", "with", "alone"
# Who does not belong on a list, as far as the records or the answer key tell.
NOT_FOUND = ("leads_not_confirmed", "innocent", "lookalike")


@dataclass(frozen=True, eq=False, kw_only=True)
class StudyResult:
    """What a study's records would change in the lists.

    Attributes:
        study: its name in the catalogue.
        added: the feature columns it adds.
        marks: what they descend from, with reasons in words.
        alone: the column that such records are commonly ranked by; None where the force declares none.
        comparison: LightGBM with and without, and the list by that column alone, at the same capacity.
        differences: how many more people of the kind the lists hold with the study's records; by basis.
        listed: who is listed, one row a basis and kind (`models.metrics` fields, and in a simulation the
            kind of innocent look-alike): basis, kind, without, with, newly (listed only with),
            no_longer (listed only without), and alone, where there is such a list. Expected over ties.
    """

    study: str
    added: tuple[str, ...]
    marks: Mapping[str, tuple[str, ...]]
    alone: str | None
    comparison: Comparison
    differences: tuple[Difference, ...]
    listed: pl.DataFrame
    params: Mapping[str, object]
    test_as_ofs: tuple[date, ...]

    @property
    def says(self) -> str:
        """The answer in a few sentences."""
        of_basis = {each.basis: each for each in self.differences}
        kinds = {Basis.BACKTEST: "confirmed", Basis.PLANTED: "people with planted misconduct"}
        found = "; ".join(
            f"{each.more:+.1f} {kinds[basis]} ({each.interval.low:+.1f} to {each.interval.high:+.1f})"
            for basis, each in of_basis.items()
        )
        wronged = self.listed.filter(pl.col("kind").is_in(NOT_FOUND))
        newly = "; ".join(
            f"{row['newly']:.1f} {row['kind'].removeprefix('leads_').replace('_', ' ')} ({row['basis']})"
            for row in wronged.iter_rows(named=True)
        )
        return (
            f"With {self.study} records ({len(self.added)} features) lists of the same length hold {found}. "
            f"Newly listed: {newly}. {self._says_alone}This run cannot be promoted."
        )

    @property
    def _says_alone(self) -> str:
        """What a list by the column alone holds."""
        if self.alone is None:
            return ""
        shown = self.listed.filter(~pl.col("kind").str.contains(".", literal=True), pl.col(ALONE) > 0)
        held = "; ".join(
            f"{row[ALONE]:.1f} {row['kind'].removeprefix('leads_').replace('_', ' ')} ({row['basis']})"
            for row in shown.iter_rows(named=True)
        )
        return f"By {self.alone} alone they hold {held}. "

    def metrics(self) -> dict[str, float]:
        """Metric names and values for MLflow."""
        names = {Basis.BACKTEST: "backtest.leads_confirmed", Basis.PLANTED: "planted.misconduct"}
        metrics: dict[str, float] = {}
        for each in self.differences:
            name = f"{names[each.basis]}_more"
            metrics |= {name: each.more, f"{name}_low": each.interval.low, f"{name}_high": each.interval.high}
        for row in self.listed.iter_rows(named=True):
            metrics |= {f"{row['basis']}.{row['kind']}/{end}": row[end] for end in self.listed.columns[2:]}
        return metrics

    def to_dict(self) -> dict[str, Any]:
        return {
            "study": self.study,
            "says": self.says,
            "added": list(self.added),
            "marks": {mark: list(why) for mark, why in self.marks.items()},
            "alone": self.alone,
            "metrics": self.metrics(),
            "listed": self.listed.to_dicts(),
            "promotable": False,
        }

    def _repr_html_(self) -> str:
        return f"<p>{self.says}</p>{self.listed._repr_html_()}"


def run_study(
    force: ForceDefinition,
    accepted: AcceptedRecords,
    study: str,
    *,
    test_as_ofs: Sequence[date],
    train_candidates: Sequence[date],
    params: Params | None = None,
    capacity: int = 0,
    seed: int = 1,
    planted: pl.DataFrame | None = None,
    until: date | None = None,
    draws: int = 1000,
    progress: Progress | None = None,
) -> StudyResult:
    """Backtest with and without the ideas of a research study.

    Args:
        study: `Idea.research` of the ideas to add, such as "sickness".
        planted: person_key, as_of, planted as in `run_experiment`, and lookalike: the list of the kinds of
            innocent look-alike a person is, so that they are counted by kind too.

    Raises:
        WrongUsage: the catalogue has no such study.
    """
    known = {idea.research for idea in force.catalogue.ideas if idea.research}
    if study not in known:
        raise WrongUsage(
            f"--research {study!r}: the catalogue of {force.name} has no such study. {did_you_mean(study, known)}"
        )
    params = Params(**{**(params or Params()).to_dict(), "seed": seed})
    with_study = prepare(
        force,
        accepted,
        test_as_ofs=test_as_ofs,
        train_candidates=train_candidates,
        catalogue=force.catalogue.with_research(study),
        until=until,
        labels=params.labels,
        progress=progress,
    )
    without_study = narrowed(with_study, force.catalogue.ordinary())
    backtests = {
        name: _only_lightgbm(
            run_backtest(each, params, capacity=capacity, planted=planted, progress=progress)[0]
        )
        for name, each in ((WITH, with_study), (WITHOUT, without_study))
    }
    alone = force.baselines.studies.get(study)
    if alone is not None:
        backtests[ALONE] = _by_column(alone, backtests[WITH], with_study.table)
    added = tuple(
        name for name in with_study.table.schema.names if name not in without_study.table.schema.names
    )
    marks = lineage.marks_of_set(force, added, with_study.catalogue)
    bases = [Basis.BACKTEST, *([Basis.PLANTED] if planted is not None else [])]
    return StudyResult(
        study=study,
        added=added,
        marks={str(mark): reasons for mark, reasons in marks.items()},
        alone=alone,
        comparison=compare(backtests, draws=draws, seed=seed),
        differences=tuple(_difference(backtests, basis, draws, seed) for basis in bases),
        listed=_listed(backtests, planted),
        params={**params.to_dict(), "capacity": capacity, "draws": draws, "force": force.name},
        test_as_ofs=tuple(fold.test_as_of for fold in with_study.folds),
    )


def narrowed(study: Study, catalogue: Catalogue) -> Study:
    """The same study with fewer ideas; nothing is built again."""
    columns = set(catalogue.columns)
    table = study.table
    schema = FeatureSchema(tuple(column for column in table.schema.columns if column.name in columns))
    kept = FeatureTable(
        frame=table.frame.select(*KEYS, *schema.names),
        schema=schema,
        descriptors=table.descriptors,
        fingerprint=table.fingerprint,
    )
    return replace(study, catalogue=catalogue, table=kept)


def _only_lightgbm(backtest: Backtest) -> Backtest:
    return replace(backtest, methods=("lightgbm",))


def _by_column(column: str, backtest: Backtest, table: FeatureTable) -> Backtest:
    """The same people ranked by one feature; unknown counts as none."""
    ranked = table.frame.select(*KEYS, pl.col(column).fill_null(0.0))
    scores = backtest.scores.drop(*METHODS, strict=False)
    return replace(
        backtest,
        scores=scores.join(ranked, on=list(KEYS), how="left", maintain_order="left"),
        methods=(column,),
    )


def _difference(backtests: Mapping[str, Backtest], basis: Basis, draws: int, seed: int) -> Difference:
    ours = {name: backtests[name] for name in (WITH, WITHOUT)}
    rankings = measure_rankings(ours, basis=basis, draws=draws, seed=seed)
    more = rankings.found(f"{WITH}/lightgbm", AT_CAPACITY) - rankings.found(
        f"{WITHOUT}/lightgbm", AT_CAPACITY
    )
    return Difference(basis, f"{WITHOUT}/lightgbm", float(more[0]), percentile_interval(more))


def _listed(backtests: Mapping[str, Backtest], planted: pl.DataFrame | None) -> pl.DataFrame:
    """Who is listed with and without, by basis and kind."""
    people = _with_chances(backtests)
    unsettled = ~pl.col("confirmed") & (pl.col("pending") | ~pl.col("settled"))
    kinds = {
        (Basis.BACKTEST, "leads_confirmed"): pl.col("confirmed"),
        (Basis.BACKTEST, "leads_not_confirmed"): ~pl.col("confirmed") & ~unsettled,
        (Basis.BACKTEST, "leads_unsettled"): unsettled,
    }
    if planted is not None:
        kinds |= {
            (Basis.PLANTED, kind): pl.col("planted") == kind
            for kind in ("misconduct", "innocent", "lookalike")
        }
        people = people.join(planted.select(*KEYS, "lookalike"), on=list(KEYS), how="left")
        alike = people.filter(pl.col("planted") == "lookalike")["lookalike"].explode().drop_nulls()
        kinds |= {
            (Basis.PLANTED, f"lookalike.{kind.replace(' ', '_')}"): (pl.col("planted") == "lookalike")
            & pl.col("lookalike").list.contains(kind)
            for kind in alike.unique().sort()
        }
    rows = [
        {"basis": str(basis), "kind": kind, **_sums(people.filter(of_kind))}
        for (basis, kind), of_kind in kinds.items()
    ]
    return pl.DataFrame(rows)


def _sums(people: pl.DataFrame) -> dict[str, float]:
    gained = (people[WITH] - people[WITHOUT]).to_numpy()
    return {
        WITHOUT: float(people[WITHOUT].sum()),
        WITH: float(people[WITH].sum()),
        "newly": float(np.maximum(gained, 0).sum()),
        "no_longer": float(np.maximum(-gained, 0).sum()),
        **({ALONE: float(people[ALONE].sum())} if ALONE in people.columns else {}),
    }


def _with_chances(backtests: Mapping[str, Backtest]) -> pl.DataFrame:
    """Everyone on the test dates, with the chance of being on each of the lists."""
    parts = []
    for day in backtests[WITH].test_as_ofs:
        people = backtests[WITH].on(day)
        chances = {
            name: chance_of_listing(
                each.on(day)[each.methods[0]].to_numpy(), places(len(people), each.capacity)
            )
            for name, each in backtests.items()
        }
        parts.append(people.with_columns(pl.Series(name, chance) for name, chance in chances.items()))
    return pl.concat(parts)

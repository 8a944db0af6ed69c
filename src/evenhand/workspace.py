"""A workspace: one force, its records, its runs and its register, as commands and notebooks use them.

Each method does one step of the story and returns what it made; nothing is printed here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import polars as pl

from evenhand.config import Config
from evenhand.dates import StudyDates, study_dates
from features.definition import ForceDefinition, load_force
from features.errors import GateRefused, WrongUsage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evenhand.governance.card import WrittenCard
    from evenhand.governance.gate import Permit
    from evenhand.governance.records import Records
    from evenhand.leads.audit import Suspension, What
    from evenhand.leads.estimates import SampleEstimates
    from evenhand.leads.opening import Opened
    from evenhand.leads.register import Register
    from evenhand.provenance import Recipe
    from features.accepted import Accepted
    from features.account import Account
    from features.build import FeatureTable
    from features.engine import Reader
    from features.specs import Catalogue
    from features.store import FeatureStore
    from models.backtest import Backtest
    from models.compare import Comparison
    from models.experiment import Experiment
    from models.incidence import Incidence
    from models.monitoring import Check, Monitored
    from models.ranker import Params
    from models.registry import RegisteredModel
    from models.release import ReleaseDecision
    from models.research import StudyResult
    from models.scoring import ScoreBatch
    from models.tuning import Trial, Tuned

Progress = Callable[[str], None]
Engine = Literal["local", "spark"]
CARD_FACTS = "card_facts.json"
ANSWER_KEY = "answer_key"
PUBLIC_RECORDS = "These are public records, used to prove the method: no lead is opened about anyone."


@dataclass(frozen=True, eq=False)
class TrainedRun:
    """A tracked run and the version it registered."""

    experiment: Experiment
    run_id: str
    registered: RegisteredModel

    def _repr_html_(self) -> str:
        return f"{self.registered._repr_html_()}{self.experiment._repr_html_()}"


@dataclass(frozen=True, eq=False)
class Repeated:
    """A run done again on the rows it was made from.

    Attributes:
        compared: what was held to what the run kept: the model, every method's scores on the test dates and, of runs
            that kept them, the chances read off them.
        differing: what of that did not come out the same to the last bit.
        other_tools: what else is not as it was then (code, processor, Python, libraries).
    """

    run_id: str
    experiment: Experiment
    compared: tuple[str, ...]
    differing: tuple[str, ...]
    other_tools: tuple[str, ...]

    @property
    def says(self) -> str:
        """The outcome in a few words."""
        if not self.differing:
            return f"the same to the last bit: {', '.join(self.compared)}"
        return f"not the same: {' and '.join(self.differing)}"

    def _repr_html_(self) -> str:
        others = "".join(f"<li>{escape(line)}</li>" for line in self.other_tools)
        return f"<p>Run {escape(self.run_id)} repeated: {escape(self.says)}.</p><ul>{others}</ul>"


@dataclass(frozen=True, eq=False)
class ScoredBatch:
    """Scores, where they were written, and the leads they opened.

    Attributes:
        opened: None where no lead may be opened.
        no_leads_because: why none may be, if so.
    """

    batch: ScoreBatch
    folder: Path
    opened: Opened | None
    no_leads_because: str | None = None

    def _repr_html_(self) -> str:
        return self.batch._repr_html_() + (self.opened._repr_html_() if self.opened else "")


class Workspace:
    """The steps of the story for one configuration.

    Args:
        config: see `evenhand.config.load_config`.
        progress: told of each step of long work.
    """

    def __init__(self, config: Config, *, progress: Progress | None = None) -> None:
        self.config = config
        self.force: ForceDefinition = load_force(config.force)
        self.progress = progress

    @property
    def home(self) -> Path:
        """Where everything made from this force's records goes."""
        return self.config.out / self.force.name

    @property
    def docs(self) -> Path:
        """Where the Data Docs are written."""
        return self.home / "data-docs"

    def validate(self, *, only: Sequence[str] | None = None, strict: bool = False) -> Account:
        """Read, judge and keep the extracts, and write their Data Docs."""
        return self._ingest(only=only, strict=strict, docs=self.docs)[1]

    @cached_property
    def accepted(self) -> Accepted:
        """The accepted rows of every table, read anew where an extract has changed."""
        return self._ingest()[0]

    @cached_property
    def account(self) -> Account:
        """What became of every row read."""
        return self._ingest()[1]

    def _ingest(
        self, *, only: Sequence[str] | None = None, strict: bool = False, docs: Path | None = None
    ) -> tuple[Accepted, Account]:
        from features.ingest import ingest

        return ingest(
            self.force,
            self.config.data,
            # Some tables alone must not take the place of the whole.
            out=self.home / "some-tables" if only else self.home,
            suites=self.config.suites / self.force.name,
            docs=docs,
            only=only,
            strict=strict,
            progress=self.progress,
        )

    @cached_property
    def store(self) -> FeatureStore:
        """Features computed before, each date kept while what it rests on stands."""
        from features.store import FeatureStore

        return FeatureStore(self.home / "values", self.accepted)

    @cached_property
    def extent(self) -> tuple[date, date]:
        """The first day that half of the event tables report on, and the day after the last recorded day.

        A few rows are always known long before or, as with findings of later releases, long after the rest;
        so the first day is a median, and the last is the earlier of what was last recorded and last happened.
        """
        from features.accepted import is_about_events

        spans = pl.concat(
            self.accepted.scan(table.name).select(
                first=pl.col(table.known_at).min().cast(pl.Date),
                known=pl.col(table.known_at).max().cast(pl.Date),
                occurred=pl.col(table.occurred_at).max().cast(pl.Date),
            )
            for table in self.force.tables
            if table.known_at and table.occurred_at and is_about_events(self.force, table)
        ).collect()
        firsts = spans["first"].drop_nulls().sort()
        if firsts.is_empty():
            raise WrongUsage(f"{self.config.data} holds no event that was accepted. See `evenhand validate`.")
        last = min(spans["known"].drop_nulls().max(), spans["occurred"].drop_nulls().max())  # type: ignore[type-var]  # dates
        return firsts[len(firsts) // 2], last + timedelta(days=1)  # type: ignore[operator]  # dates

    def dates(self, *, until: date | None = None) -> StudyDates:
        """The calendar of a study that knows nothing from `until` on (the end of the records where None)."""
        first, end = self.extent
        return study_dates(self.force, first=first, end=min(until or end, end))

    def check_as_of(self, as_of: date) -> None:
        """Refuse an as-of date that the records do not cover."""
        first, end = self.extent
        if not first < as_of <= end:
            raise WrongUsage(
                f"as-of date {as_of} is outside the records, which run from {first} to {end - timedelta(days=1)}. "
                f"Choose a date after {first} and not after {end}."
            )

    def features(self, as_ofs: Sequence[date], *, engine: Engine = "local") -> FeatureTable:
        """The ordinary catalogue's features of the cohort on some dates.

        Args:
            engine: who reads the rows of dates that the store does not have: this machine, or Spark as the
                configuration sets it up. The values are the same.
        """
        from features.build import build

        for as_of in as_ofs:
            self.check_as_of(as_of)
        with self._reader(engine) as reader:
            return build(
                self.force, self.accepted, as_ofs, store=self.store, reader=reader, progress=self.progress
            )

    @contextmanager
    def _reader(self, engine: Engine) -> Iterator[Reader | None]:
        if engine == "local":
            yield None
            return
        from features.cluster.prepare import reader_on
        from features.cluster.spark import workers_on_spark

        with workers_on_spark(self.config.spark_settings) as workers:
            yield reader_on(workers)

    @cached_property
    def records(self) -> Records:
        """What `governance.toml` records."""
        from evenhand.governance.records import read_records

        return read_records(self.config.governance)

    def train(
        self,
        *,
        name: str | None = None,
        test_as_ofs: Sequence[date] | None = None,
        until: date | None = None,
        with_health: bool = False,
        tuned: str | None = None,
    ) -> TrainedRun:
        """Backtest every method, train the model, track the run and register the version as candidate.

        Args:
            test_as_ofs: the calendar's last dates where None.
            until: train as if the records ended before this day.
            with_health: let sickness and absence levels in, which `governance.toml` must permit.
            tuned: id or name of a tuning, to grow trees as it recommends.

        Raises:
            GateRefused: health is asked for without its records.
            WrongUsage: the tuning has seen what was found after the first test date.
        """
        from evenhand.governance.gate import health_permitted
        from evenhand.provenance import PROVENANCE, Recipe, provenance
        from evenhand.run_facts import facts_of_run
        from evenhand.watch import reference_of
        from models import registry, tracking

        dates, tests = self._tests(test_as_ofs, until)
        tuning, params = self._tuned_params(tuned, tests) if tuned else (None, self._params())
        recipe = Recipe(
            test_as_ofs=tests,
            train_candidates=dates.candidates,
            until=dates.end,
            judged_by=until,
            with_health=with_health,
            seed=self.config.seed,
            capacity=self.config.review.capacity,
            min_lift=self.config.review.min_lift,
            draws=self.config.study.draws,
            params=params.to_dict(),
            tuned=tuning,
        )
        catalogue = self._catalogue(recipe)
        planted = self.planted([*tests, *dates.candidates])
        experiment = self.carry_out(
            recipe,
            planted=None if planted is None else planted.drop("lookalike"),
            reviews=self.reviews(before=until),
        )
        health = self.research("sickness", test_as_ofs=tests, until=until) if with_health else None
        self._say("keeping the run")
        with tracking.tracked(self.config.runs, self.force.name, name=name) as run:
            tracking.log_experiment(run, experiment, account=self.account.to_dict())
            facts = facts_of_run(
                self.force, experiment, self.account, run_id=run.run_id, started_ms=run.started_ms,
                catalogue=catalogue, planted=planted, health=health,
                incidence=self.time_to_finding(before=dates.end),
                findings_made=self.findings_made(
                    sorted({*experiment.model.trained_as_ofs, *tests}), before=dates.end
                ),
            )  # fmt: skip
            tracking.log_json(run, CARD_FACTS, facts)
            run.log_tags({} if tuning is None else {"tuned": tuning})
            tracking.log_json(run, PROVENANCE, provenance(recipe, catalogue, self.accepted, experiment))
            registered = registry.register(
                self.config.runs,
                self.force,
                experiment.model,
                run_id=run.run_id,
                health_permitted=with_health and health_permitted(self.records),
                catalogue=catalogue,
                reference=reference_of(self, experiment.model, catalogue),
            )
        return TrainedRun(experiment, run.run_id, registered)

    def tune(
        self,
        *,
        trials: int,
        name: str = "tuning",
        test_as_ofs: Sequence[date] | None = None,
        told: Callable[[Trial], None] | None = None,
    ) -> Tuned:
        """Try other ways of growing the trees on dates before the first test date, each trial tracked.

        Called again it goes on with the trials it has, unless rows, code or what is asked have changed.

        Args:
            trials: in all, with those of earlier calls.
            test_as_ofs: of the models that are to be compared; the calendar's last dates where None.
            told: of each trial, when it has ended.

        Raises:
            WrongUsage: no date before the first test date is settled by then, or too few trials.
        """
        from evenhand.provenance import code_fingerprint, versions
        from models import tracking
        from models.experiment import prepare
        from models.tuning import Tuning, tune, tuning_dates

        dates, tests = self._tests(test_as_ofs, None)
        params, before = self._params(), min(tests)
        tuning = Tuning(
            study=prepare(
                self.force,
                self.accepted,
                test_as_ofs=tuning_dates(self.force, dates.candidates, before=before),
                train_candidates=dates.candidates,
                until=before,
                judged_by=before,
                labels=params.labels,
                store=self.store,
                progress=self.progress,
            ),
            start=replace(params, seed=self.config.seed),
            seed=self.config.seed,
            capacity=self.config.review.capacity,
            name=name,
            made_by={"code": code_fingerprint(), **versions()},
            draws=self.config.study.draws,
        )
        runs = self.config.runs
        with tracking.tracked_tuning(runs, self.force.name, name=name, key=tuning.key) as run:

            def keep(trial: Trial) -> None:
                tracking.log_trial(run, trial)
                if told:
                    told(trial)

            found = tune(tuning, trials=trials, storage=runs / "tuning", told=keep, progress=self.progress)
            tracking.log_tuning(run, found)
        return found

    def _tuned_params(self, tuning: str, tests: Sequence[date]) -> tuple[str, Params]:
        """The id of a tuning, and the parameters it recommends for models that are tested on these dates."""
        from models import tracking
        from models.ranker import Params

        run_id, found = tracking.read_tuned(self.config.runs, self.force.name, tuning)
        before = date.fromisoformat(found["before"])
        if before > min(tests):
            raise WrongUsage(
                f"tuning {tuning!r} has seen what was found before {before}, and the first test date is {min(tests)}: the "
                "test would not be of what was known. Tune for these test dates (evenhand tune --test-dates), or test later."
            )
        return run_id, replace(Params(**found["recommended"]), threads=self.config.study.threads)

    def repeat(self, run: str) -> Repeated:
        """Do a run again as it was asked for, and hold what comes out to what came out then.

        Args:
            run: id or name. Nothing is tracked or registered.

        Raises:
            WrongUsage: there is no such run, or it kept too little to be repeated.
            DataRefused: the rows or ideas it was made from are not those of today; the message says which.
        """
        from evenhand.provenance import PROVENANCE, Recipe, made, other_tools, refuse_changed
        from models import tracking

        run_id = tracking.run_id_of(self.config.runs, run, force=self.force.name)
        stored = tracking.read_json(self.config.runs, run_id, PROVENANCE)
        recipe = Recipe.from_dict(stored["recipe"])
        refuse_changed(run, stored, self._catalogue(recipe), self.accepted)
        experiment = self.carry_out(recipe)
        now, then = made(experiment), stored["made"]
        return Repeated(
            run_id=run_id,
            experiment=experiment,
            compared=tuple(then),
            differing=tuple(name for name in then if now[name] != then[name]),
            other_tools=tuple(other_tools(stored)),
        )

    def _catalogue(self, recipe: Recipe) -> Catalogue:
        return self._with_health() if recipe.with_health else self.force.catalogue.ordinary()

    def carry_out(
        self,
        recipe: Recipe,
        *,
        catalogue: Catalogue | None = None,
        planted: pl.DataFrame | None = None,
        reviews: pl.DataFrame | None = None,
    ) -> Experiment:
        """The experiment of a recipe, neither tracked nor registered.

        Args:
            catalogue: the recipe's own ideas as declared today where None.
        """
        from models.experiment import run_experiment
        from models.ranker import Params

        return run_experiment(
            self.force,
            self.accepted,
            test_as_ofs=recipe.test_as_ofs,
            train_candidates=recipe.train_candidates,
            params=Params(**recipe.params),
            capacity=recipe.capacity,
            seed=recipe.seed,
            catalogue=catalogue or self._catalogue(recipe),
            planted=planted,
            reviews=reviews,
            until=recipe.until,
            judged_by=recipe.judged_by,
            min_lift=recipe.min_lift,
            draws=recipe.draws,
            store=self.store,
            progress=self.progress,
        )

    def research(
        self, study: str, *, test_as_ofs: Sequence[date] | None = None, until: date | None = None
    ) -> StudyResult:
        """An isolated, tracked study of what a set of marked ideas would add and whom it would hurt."""
        from models import tracking
        from models.ranker import Params
        from models.research import run_study

        dates, tests = self._tests(test_as_ofs, until)
        planted = self.planted([*tests, *dates.candidates])
        result = run_study(
            self.force,
            self.accepted,
            study,
            test_as_ofs=tests,
            train_candidates=dates.candidates,
            params=Params(threads=self.config.study.threads),
            capacity=self.config.review.capacity,
            seed=self.config.seed,
            planted=planted,
            until=dates.end,
            draws=self.config.study.draws,
            progress=self.progress,
        )
        with tracking.tracked(self.config.runs, f"{self.force.name}-research", name=study) as run:
            tracking.log_research(run, result, account=self.account.to_dict())
        return result

    def _tests(
        self, test_as_ofs: Sequence[date] | None, until: date | None
    ) -> tuple[StudyDates, tuple[date, ...]]:
        dates = self.dates(until=until)
        for as_of in test_as_ofs or ():
            self.check_as_of(as_of)
        return dates, tuple(test_as_ofs or dates.tests)

    def _params(self) -> Params:
        from models.ranker import usual_params

        return usual_params(self.force, threads=self.config.study.threads)

    def _with_health(self) -> Catalogue:
        from evenhand.governance.gate import missing_for_health

        if missing := missing_for_health(self.records):
            listed = "\n".join(f"- {line}" for line in missing)
            raise GateRefused(
                f"Sickness and absence levels may not enter an ordinary run: {self.records.origin} does not record "
                f"the basis for it.\n{listed}\nRecord it, or measure it apart: evenhand train --research sickness."
            )
        return self.force.catalogue.adopting("sickness")

    def planted(self, as_ofs: Sequence[date]) -> pl.DataFrame | None:
        """What the answer key of a simulated force says, for measuring; None on any other force."""
        if self.force.use != "simulated":
            return None
        if not Path(self.config.data, ANSWER_KEY).is_dir():
            return None
        from evenhand.force.truth import planted

        return planted(Path(self.config.data), list(as_ofs)).drop("typologies")

    def reviews(self, *, before: date | None = None) -> pl.DataFrame | None:
        """Review outcomes of earlier leads, `[person_key, as_of, outcome]`; None where no lead was opened."""
        if self.force.use == "validation":
            return None
        from evenhand.leads.review import outcomes

        with self.register() as register:
            found = outcomes(register, known_before=datetime.combine(before, time()) if before else None)
        # One register may hold the leads of several forces, whose people have nothing to do with each other.
        leads = found.filter(pl.col("kind") == "lead", pl.col("force") == self.force.name).select(
            "person_key", "as_of", "outcome"
        )
        return leads if leads.height else None

    def time_to_finding(self, *, before: date | None = None) -> Incidence:
        """How cases known before a day (the end of the records where None) ended, and after how long."""
        from features.labels import followed
        from models.incidence import cumulative_incidence

        seen_by = datetime.combine(before or self.extent[1], time())
        return cumulative_incidence(followed(self.force, self.accepted, seen_by=seen_by))

    def findings_made(self, as_ofs: Sequence[date], *, before: date | None = None) -> pl.DataFrame:
        """How settled the labels of some dates are before a day: as_of, cases, made (the share of their findings made)."""
        from features.labels import ages

        end = before or self.extent[1]
        incidence = self.time_to_finding(before=end)
        of_date = ages(self.force, self.accepted, as_ofs, seen_by=datetime.combine(end, time()))
        rows = [
            {"as_of": as_of, "cases": len(days), "made": incidence.made(days)}
            for as_of in as_ofs
            for days in [of_date.filter(pl.col("as_of") == as_of)["days"].to_list()]
        ]
        schema = {"as_of": pl.Date, "cases": pl.Int64, "made": pl.Float64}
        return pl.DataFrame(rows, schema=schema)

    def sample_estimates(self) -> SampleEstimates | None:
        """What reviews of leads and samples say of everybody; None where none of a batch with samples is decided."""
        if self.force.use == "validation":
            return None
        from evenhand.leads.estimates import sample_estimates

        with self.register() as register:
            return sample_estimates(register, force=self.force.name)

    def by_concern(self) -> pl.DataFrame:
        """What became of the leads opened so far, by kind of concern (see `evenhand.leads.estimates.by_concern`)."""
        from evenhand.leads import estimates

        if self.force.use == "validation":
            return pl.DataFrame(schema=estimates.CONCERNS)
        with self.register() as register:
            return estimates.by_concern(register, force=self.force.name)

    @contextmanager
    def register(self) -> Iterator[Register]:
        """The register of leads, brought to its present form."""
        from evenhand.leads.register import open_register

        with open_register(self.config.register_url) as register:
            yield register

    def model(self, which: int | str = "champion") -> RegisteredModel:
        """A registered version, by number or alias."""
        from models import registry

        return registry.load(self.config.runs, self.force.name, which)

    def release(self, which: int | str = "candidate") -> ReleaseDecision:
        """What the release gate finds about a version, without promoting it.

        Lists are of the length that this workspace's reviewers can look at. A champion that was tested on
        other dates or other rows is scored anew on the candidate's dates.
        """
        from evenhand.governance.gate import health_permitted
        from evenhand.rival import champion_on
        from models import registry, tracking
        from models.release import release_findings

        candidate = self.model(which)
        backtest = tracking.read_backtest(self.config.runs, candidate.run_id)
        backtest = backtest.at_capacity(self.config.review.capacity)
        champion = registry.champion(self.config.runs, self.force.name)
        rival = None
        if champion is not None and champion.version != candidate.version:
            self._say(f"comparing with the champion, v{champion.version}")
            rival = champion_on(self, champion, candidate, backtest)
        return release_findings(
            candidate.name,
            candidate.version,
            backtest,
            promotable=candidate.trained.promotable,
            forbidden=registry.forbidden_lineage(
                self.force,
                candidate.trained,
                # Without the file no basis is recorded, and a model that needs none may pass.
                health_permitted=self.config.governance.is_file() and health_permitted(self.records),
            ),
            champion=rival,
        )

    def promote(self, which: int | str, *, reason: str, at: datetime, by: str) -> RegisteredModel:
        """Make a version the champion if the release gate lets it pass; who, when, why and what was found stay.

        Raises:
            WrongUsage: no such version, or no reason.
            GateRefused: with everything that did not hold; the refusal is recorded.
        """
        from models import registry

        decision = self.release(which)
        try:
            promoted = registry.promote(self.config.runs, decision, reason=reason, at=at, who=by)
        except GateRefused:
            self._to_the_trail("promotion refused", decision.title, at=at, by=by, says=reason)
            raise
        self._to_the_trail("promoted", decision.title, at=at, by=by, says=reason)
        return promoted

    def _to_the_trail(self, what: What, model: str, *, at: datetime, by: str, says: str) -> None:
        from evenhand.leads import audit

        with self.register() as register:
            audit.record(register, at=at, who=by, what=what, force=self.force.name, model=model, says=says)

    def monitor(self, as_of: date, *, model: int | str = "champion", at: datetime) -> Monitored:
        """Measure drift of inputs and scores, the mix of cases and the rate of confirmed leads.

        A breach suspends scoring with the model until a person resumes it; on public records, where no lead is
        opened, it is only told.
        """
        from evenhand.watch import monitored
        from models.scoring import check_force_and_date

        registered = self.model(model)
        self.check_as_of(as_of)
        check_force_and_date(self.force, registered.trained, as_of)
        if self.force.use == "validation":
            return monitored(self, None, registered, as_of)
        with self.register() as register:
            found = monitored(self, register, registered, as_of)
            self._suspend(register, registered, found.breaches, found.says, at=at)
        return found

    def _suspend(
        self, register: Register, registered: RegisteredModel, breaches: Sequence[Check], says: str, *, at: datetime
    ) -> None:  # fmt: skip
        from evenhand.leads import audit
        from evenhand.watch import MONITOR

        if breaches:
            audit.suspend(
                register, at=at, who=MONITOR, force=self.force.name, model=registered.title, says=says,
                breaches={check.code: check.value for check in breaches},
            )  # fmt: skip

    def suspension(self, which: int | str = "champion") -> Suspension | None:
        """The suspension that stands for a version; None where it may score."""
        from evenhand.leads import audit

        with self.register() as register:
            return audit.suspension(register, force=self.force.name, model=self.model(which).title)

    def resume(self, which: int | str = "champion", *, reason: str, at: datetime, by: str) -> Suspension:
        """Let a version score again; who, when and why go to the audit trail.

        Raises:
            WrongUsage: it is not suspended, or no name or reason is given.
        """
        from evenhand.leads import audit

        with self.register() as register:
            return audit.resume(
                register, at=at, who=by, force=self.force.name, model=self.model(which).title, reason=reason
            )

    def _hold_to_the_monitor(self, registered: RegisteredModel, as_of: date, at: datetime) -> None:
        """Let a batch be scored only while the model is not suspended and what it meets is what it learnt from.

        Raises:
            GateRefused: naming the breach, and how scoring is resumed.
        """
        from evenhand.leads import audit
        from evenhand.watch import drift_of, known_to
        from models.monitoring import told_of, with_known

        with self.register() as register:
            checks = with_known(drift_of(self, registered, as_of), known_to(self, register, registered))
            breaches = [check for check in checks if check.breach]
            says = told_of(registered.title, as_of, breaches)
            self._suspend(register, registered, breaches, says, at=at)
            standing = audit.suspension(register, force=self.force.name, model=registered.title)
        if standing is not None:
            raise GateRefused(
                f"Scoring with {standing.model} is suspended since {standing.at}.\n{standing.says}\nFind out why "
                f"(evenhand monitor --as-of {as_of} --model {registered.version}). If it may go on, a person resumes it: "
                f'evenhand resume --model {registered.version} --by NAME --reason "...".'
            )

    def compare(self, runs: Sequence[str] = (), *, capacity: int | None = None, last: int = 5) -> Comparison:
        """Runs, baselines and the champion side by side, with the live register.

        Args:
            runs: names or ids; where none is named the last few that were tested on the dates of the last one.
        """
        from models import tracking
        from models.compare import compare
        from models.experiment import live_counts

        if runs:
            backtests = {run: tracking.read_backtest(self.config.runs, run) for run in runs}
        else:
            backtests = self._last_runs(last)
        reviews = self.reviews()
        return compare(
            backtests | self._champion_beside(backtests),
            capacity=capacity,
            reviews=reviews,
            live=None if reviews is None else live_counts(reviews),
            draws=self.config.study.draws,
            seed=self.config.seed,
        )

    def batches_kept(self) -> pl.DataFrame | None:
        """How many people with a lead in one batch have one in the next; None where no lead was opened."""
        from models.stability import over_batches

        leads = self.reviews()
        return None if leads is None else over_batches(leads)

    def _last_runs(self, most: int) -> dict[str, Backtest]:
        """The backtests of the last runs that have the test dates of the very last, by name where that says which."""
        from models import tracking

        known = tracking.list_runs(self.config.runs, self.force.name).head(most)
        found = {run: tracking.read_backtest(self.config.runs, run) for run in known["run_id"]}
        dates = next((each.test_as_ofs for each in found.values()), ())
        alone = known.filter(pl.col("name").is_unique())
        names = dict(alone.select("run_id", "name").iter_rows())
        return {names.get(run, run): each for run, each in found.items() if each.test_as_ofs == dates}

    def _champion_beside(self, backtests: Mapping[str, Backtest]) -> dict[str, Backtest]:
        """The champion on the dates of the first run; nothing where there is none, or where its own run is there."""
        from evenhand.rival import champion_on
        from models import registry, tracking

        champion = registry.champion(self.config.runs, self.force.name)
        if champion is None or not backtests:
            return {}
        ids = [tracking.run_id_of(self.config.runs, run, force=self.force.name) for run in backtests]
        known = registry.model_versions(self.config.runs, self.force.name)
        versions = known.filter(pl.col("run_id") == ids[0])["version"].to_list()
        if champion.run_id in ids or not versions:
            return {}
        self._say(f"ranking by the champion, v{champion.version}")
        rival = champion_on(self, champion, self.model(versions[0]), next(iter(backtests.values())))
        if rival.backtest is None:
            self._say(f"v{champion.version} cannot be compared: {rival.how}")
            return {}
        return {f"v{champion.version}": rival.backtest}

    def permit(self, on: date) -> Permit:
        """Leave to score on a day, or GateRefused with every record that is missing."""
        from evenhand.governance.gate import may_score

        return may_score(self.records, on=on, simulated=self.force.use == "simulated")

    def score(self, as_of: date, *, model: int | str = "champion", at: datetime) -> ScoredBatch:
        """Score the cohort and open leads.

        A force of public records opens none. Where people can be affected, only the champion does: the
        release gate let it pass. On simulated people any version may, so that its leads can be studied. What
        opens leads is held to the monitor first.

        Args:
            at: when the scores are made; leave is asked for this day.
        """
        from models.scoring import check_force_and_date, score

        permit = None if self.force.use == "validation" else self.permit(at.date())
        registered = self.model(model)
        self.check_as_of(as_of)
        check_force_and_date(self.force, registered.trained, as_of)
        why_not = self.no_leads_because(registered)
        if not why_not:
            self._hold_to_the_monitor(registered, as_of, at)
        batch = score(
            self.force,
            self.accepted,
            registered.trained,
            as_of,
            name=registered.title,
            capacity=self.config.review.capacity,
            store=self.store,
            progress=self.progress,
        )
        folder = batch.write(self.home / "scores" / f"{as_of}-v{registered.version}")
        if permit is None or why_not:
            return ScoredBatch(batch, folder, None, why_not)
        return ScoredBatch(batch, folder, self._open_leads(batch, registered, permit, at))

    def no_leads_because(self, registered: RegisteredModel) -> str | None:
        """Why a version may open no lead here; None where it may."""
        from models.release import CHAMPION

        if self.force.use == "validation":
            return PUBLIC_RECORDS
        if self.force.use == "simulated" or CHAMPION in registered.aliases:
            return None
        return (
            f"{registered.title} is not the champion, so it opens no lead about anyone. Its scores are for comparison; "
            f"to use it, promote it: evenhand promote {registered.version}."
        )

    def _open_leads(
        self, batch: ScoreBatch, registered: RegisteredModel, permit: Permit, at: datetime
    ) -> Opened:
        from evenhand.leads.opening import Terms, open_leads
        from features.evidence import rows_behind_each
        from models.sampling import Sizes
        from models.scoring import score

        def rescore(people: pl.DataFrame) -> pl.DataFrame:
            return score(
                self.force, self.accepted, registered.trained, batch.as_of,
                people=people["person_key"], rows_known_from=people,
            ).frame.select("person_key", "score")  # fmt: skip

        def evidence_of(wanted: Sequence[tuple[object, str]]) -> Mapping[tuple[object, str], pl.DataFrame]:
            self._say(f"reading the records behind {len(wanted):,} reasons")
            return rows_behind_each(self.force, self.accepted, wanted, as_of=batch.as_of)

        terms = Terms(
            force=self.force.name,
            model=registered.title,
            fingerprints=self.accepted.fingerprints,
            capacity=batch.capacity,
            threshold=batch.threshold.score,
            seed=self.config.seed,
            samples=Sizes(
                random=self.config.review.sample,
                by_band=self.config.review.band_sample,
                bands=self.config.review.bands,
            ),
        )
        with self.register() as register:
            return open_leads(
                register,
                batch,
                terms,
                permit=permit,
                rescore=rescore,
                evidence_of=evidence_of,
                innocent_of=lambda column: batch.words[column].innocent,
                typologies=self.force.typologies,
                scored_at=at,
            )

    def card(
        self, which: int | str = "champion", *, out: Path | None = None, written_at: datetime
    ) -> WrittenCard:
        """Write the model card of a version, from its run, the governance records and the register."""
        from evenhand.governance.card import write_card
        from evenhand.governance.facts import CardFacts
        from evenhand.run_facts import complete
        from models import tracking

        registered = self.model(which)
        facts = tracking.read_json(self.config.runs, registered.run_id, CARD_FACTS)
        return write_card(
            CardFacts.of(complete(facts, registered, self.records, self.reviews(), written_at=written_at)),
            out or self.home / "cards" / f"v{registered.version}",
        )

    def _say(self, step: str) -> None:
        if self.progress:
            self.progress(step)

"""What the simulated force assumes: every range, where it comes from, and the value drawn from it by seed.

A source that reads "guess" is one. DOMAIN 2.4 is the collection of published base rates in the project's
domain notes; a figure taken from there names its origin.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from evenhand.force.draws import Draws


class Preset(StrEnum):
    """How hard and how fair the world is.

    `BENIGN` detects without bias, `CASEY` more often among constables, minority groups and teams with an
    active supervisor at equal conduct, and in `ADVERSARIAL` the innocent explanations are louder than the
    conduct.
    """

    BENIGN = "benign"
    CASEY = "casey"
    ADVERSARIAL = "adversarial"


@dataclass(frozen=True)
class Range:
    """A parameter is drawn log-uniformly from `[low, high]`; the two are equal where it is fixed."""

    name: str
    low: float
    high: float
    says: str
    source: str = "guess"

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.high:
            raise ValueError(f"range of {self.name!r} must be 0 < low <= high, not {self.low} to {self.high}")


DENSITY = (
    "raised several times above published rates: a force of 2,000 at true prevalence and detection would "
    "settle a handful of findings a year, too few to learn or to measure from"
)

RANGES = (
    # conduct
    Range("frailty_spread", 0.9, 1.1, "standard deviation of the log of a person's proneness to misconduct",
          "guess, so that 2 % of people hold 15 to 20 % of misconduct"),
    Range("t1_episodes_per_year", 0.0110, 0.0145, "new episodes of roster manipulation, per person", "density: " + DENSITY),
    Range("t2_episodes_per_year", 0.0100, 0.0135, "new episodes of overtime fraud, per person able to claim", "density: " + DENSITY),
    Range("t4_episodes_per_year", 0.0125, 0.0165, "new episodes of misuse of systems, per person", "density: " + DENSITY),
    Range("companion_share", 0.15, 0.30, "share of episodes that bring one of another kind at about the same time"),
    Range("serious_share", 0.30, 0.40, "share of episodes that are serious"),
    Range("t1_mild_times", 8.0, 13.0, "own-record changes after the tour, times the person's innocent rate"),
    Range("t2_mild_times", 8.0, 13.0, "minutes claimed and not worked, times the person's innocent rate"),
    Range("t4_mild_times", 9.0, 14.0, "look-ups without a purpose, times the person's innocent rate"),
    Range("serious_over_mild", 1.8, 2.4, "how much stronger the traces of a serious episode are"),
    # detection and findings
    Range("detection_per_serious_year", 1.0, 1.3, "chance rate that a year of serious conduct comes to notice without a tool", "density: " + DENSITY),
    Range("detection_per_mild_year", 0.40, 0.55, "the same for mild conduct", "density: " + DENSITY),
    Range("days_to_notice", 45, 75, "median days from conduct to the opening of a case"),
    Range("proven_serious", 0.72, 0.82, "share of detected serious episodes that end in a finding", "DOMAIN 2.4: about 80 % of proceedings are proven (gov.uk)"),
    Range("proven_mild", 0.50, 0.62, "the same for mild episodes"),
    Range("other_cases_per_year", 0.040, 0.050, "conduct cases about anything else, per person", "DOMAIN 2.4: 3.2 % of the workforce a year (Casey review)"),
    Range("other_cases_proven", 0.19, 0.23, "share of those that end in a finding", "DOMAIN 2.4: 33 % of finalised allegations have a case to answer"),
    Range("unfounded_cases_per_year", 0.008, 0.012, "allegations of the planted kinds against people who did nothing of it"),
    Range("quick_finding_share", 0.60, 0.60, "share of findings made quickly", "fitted to DOMAIN 2.4: mean 400 days, about 20 % over two years"),
    Range("quick_finding_days", 120, 120, "median days to a quick finding", "fitted, as above"),
    Range("slow_finding_days", 715, 715, "median days to a slow finding", "fitted, as above"),
    Range("leaver_case_stays_open", 0.5, 0.5, "chance that a case is never closed once its subject has left"),
    Range("bias_constable", 1.5, 1.5, "detection of constables at equal conduct (casey, adversarial)", "DOMAIN 2.4, simulator settings"),
    Range("bias_minority", 1.4, 1.4, "detection in minority groups at equal conduct (casey, adversarial)", "DOMAIN 2.4, simulator settings; Casey review reports 55 to 81 % more allegations"),
    Range("bias_active_supervisor", 2.0, 2.0, "detection in teams with an active supervisor (casey, adversarial)", "DOMAIN 2.4, simulator settings"),
    # innocent exposure
    Range("short_team_share", 0.10, 0.14, "teams that are short-staffed for a year or more"),
    Range("short_team_vacancies", 0.30, 0.40, "share of posts that stand empty there"),
    Range("short_team_times", 2.5, 3.5, "roster changes, run-on and rest-day working there, times the usual"),
    Range("aid_travel_share", 0.20, 0.30, "deployments whose claims include travel that no tour shows"),
    Range("part_timer_times", 4.0, 6.0, "rest days that part-timers swap for themselves, times the usual"),
    Range("self_kept_times", 16.0, 24.0, "own-record changes in roles that keep their own roster, times the usual"),
    Range("handover_share", 0.05, 0.08, "tours in custody and on the roads with a paid handover that the book-off does not show"),
    Range("head_times", 1.8, 2.4, "own-record changes of supervisors, whom nobody enters for, times the usual"),
    Range("probationer_times", 3.5, 5.0, "own errors put right in the first year of service, times the usual"),
    Range("aid_pool_share", 0.08, 0.12, "officers outside public order who are sent on aid"),
    Range("part_time_share", 0.08, 0.11, "people with part-time patterns"),
    Range("own_change_per_tour", 0.003, 0.005, "book-off times a person puts right on their own record"),
    Range("unworked_claim_per_tour", 0.003, 0.004, "claims that turn out longer than the work, by error"),
    Range("odd_look_up_per_tour", 0.0030, 0.0045, "look-ups without a link or a stated purpose, by negligence"),
    Range("careless_spread", 0.45, 0.60, "standard deviation of the log of a person's innocent rates of error"),
    Range("activity_spread", 0.60, 0.75, "standard deviation of the log of a person's volume of work, overtime and searches"),
    Range("explained_spread", 0.8, 1.0, "standard deviation of the log of how far an innocent explanation shows in a person's records"),
    Range("complaints_per_contact_year", 0.10, 0.14, "public complaints against a neighbourhood officer; response and custody have more", "DOMAIN 2.4: 22,790 allegations in a year (IOPC), most of which name nobody"),
    # absence
    Range("sickness_spells_per_year", 0.8, 1.0, "ordinary spells of sickness", "DOMAIN 2.4: about half took none in a year"),
    Range("fluctuating_condition_share", 0.04, 0.06, "people with a disability that brings many short spells"),
    Range("injuries_per_year", 0.02, 0.03, "injuries on duty"),
    Range("pregnancies_per_year", 0.05, 0.06, "pregnancies, per woman under forty"),
    Range("union_share", 0.02, 0.03, "people who hold a Federation or union office"),
    # records
    Range("bad_row_share", 0.005, 0.008, "rows spoiled on purpose, per table"),
    Range("unmapped_share", 0.005, 0.005, "log-on numbers missing from the identity map"),
)  # fmt: skip

# What a preset does to drawn values, by parameter.
PRESETS: Mapping[Preset, Mapping[str, float]] = {
    Preset.BENIGN: {"bias_constable": 1 / 1.5, "bias_minority": 1 / 1.4, "bias_active_supervisor": 1 / 2.0},
    Preset.CASEY: {},
    Preset.ADVERSARIAL: {
        "t1_mild_times": 0.7, "t2_mild_times": 0.7, "t4_mild_times": 0.7, "short_team_times": 1.6,
        "short_team_share": 1.6, "probationer_times": 1.6, "aid_pool_share": 1.8, "explained_spread": 1.25,
    },
}  # fmt: skip


@dataclass(frozen=True)
class Parameters:
    """The drawn values by name, as `parameters["serious_share"]`."""

    preset: Preset
    values: Mapping[str, float]

    def __getitem__(self, name: str) -> float:
        return self.values[name]

    def record(self) -> dict[str, dict[str, float | str]]:
        """Value, range, preset's factor, meaning and source of every parameter, for the answer key."""
        factors = PRESETS[self.preset]
        return {
            one.name: {
                "value": self.values[one.name],
                "low": one.low,
                "high": one.high,
                "preset_factor": factors.get(one.name, 1.0),
                "says": one.says,
                "source": one.source,
            }
            for one in RANGES
        }


def drawn(draws: Draws, preset: Preset) -> Parameters:
    """Every parameter, drawn from its range by seed and name."""
    factors = PRESETS[preset]
    return Parameters(preset, {one.name: _between(one, draws) * factors.get(one.name, 1.0) for one in RANGES})


def _between(one: Range, draws: Draws) -> float:
    position = draws.stream(f"parameter {one.name}").random()
    return math.exp(math.log(one.low) + position * (math.log(one.high) - math.log(one.low)))

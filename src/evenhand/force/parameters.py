"""What the simulated force assumes: every range, where it comes from, and the value drawn from it by seed.

A source that reads "guess" is one. DOMAIN 2.4 is the collection of published base rates in the project's
domain notes; a figure taken from there names its origin. Three things are laid over the drawn values, each
recorded beside them: the preset, the raised rates of a dense force, and the look-alikes that are left out.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from evenhand.force.draws import Draws
from evenhand.force.kinds import NEUTRAL


class Preset(StrEnum):
    """How hard and how fair the world is.

    `BENIGN` detects without bias, `CASEY` more often among constables, minority groups and teams with an
    active supervisor at equal conduct, and in `ADVERSARIAL` the innocent explanations are louder than the
    conduct. In `NULL` nobody's conduct leaves a trace, and findings fall on people at random.
    """

    BENIGN = "benign"
    CASEY = "casey"
    ADVERSARIAL = "adversarial"
    NULL = "null"


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


SETTINGS = "DOMAIN 2.4, simulator settings (design choice)"
WITHIN_A_YEAR = "share of people who can, in an episode of {} at some time in twelve months"

RANGES = (
    # conduct
    Range("frailty_spread", 0.9, 1.1, "standard deviation of the log of a person's proneness to misconduct",
          "guess, so that 2 % of people hold 15 to 20 % of misconduct"),
    Range("contagion", 0.8, 0.8, "how far a person's own rate follows the team's: 10 % more among peers, this times 10 % more of one's own",
          "DOMAIN 2.4: 10 % more peer misconduct brings 8 % more of one's own"),
    Range("t1_prevalence", 0.0155, 0.0195, WITHIN_A_YEAR.format("roster manipulation"), SETTINGS + ": 1.5 % mild, 0.25 % serious"),
    Range("t1_serious_share", 0.13, 0.16, "share of those that are serious", SETTINGS),
    Range("t2_prevalence", 0.0027, 0.0033, WITHIN_A_YEAR.format("overtime fraud"), SETTINGS + ": 0.30 %"),
    Range("t2_serious_share", 0.30, 0.40, "share of those that are serious"),
    Range("t3_senior_prevalence", 0.036, 0.044, WITHIN_A_YEAR.format("attendance breach, chief inspectors to chief superintendents"), SETTINGS + ": 4 %"),
    Range("t3_other_prevalence", 0.0018, 0.0022, WITHIN_A_YEAR.format("attendance breach, other hybrid posts"), SETTINGS + ": 0.2 %"),
    Range("t3_serious_share", 0.25, 0.35, "share of those that are serious"),
    Range("t4_prevalence", 0.0200, 0.0250, WITHIN_A_YEAR.format("misuse of systems"), SETTINGS + ": 2.0 % curiosity, 0.25 % serious"),
    Range("t4_serious_share", 0.10, 0.12, "share of those that are serious", SETTINGS),
    Range("t5_prevalence", 0.0007, 0.0009, WITHIN_A_YEAR.format("abuse of position for a sexual purpose"), SETTINGS + ": 0.08 %"),
    Range("t5_serious_share", 0.95, 0.95, "share of those that are serious"),
    Range("t6_prevalence", 0.0054, 0.0066, WITHIN_A_YEAR.format("an undeclared association or business"), SETTINGS + ": 0.6 %"),
    Range("t6_serious_share", 0.20, 0.30, "share of those that are serious"),
    Range("t7_prevalence", 0.0013, 0.0017, WITHIN_A_YEAR.format("expenses or card fraud"), SETTINGS + ": 0.15 %"),
    Range("t7_serious_share", 0.40, 0.60, "share of those that are serious"),
    Range("t8_prevalence", 0.0008, 0.0012, WITHIN_A_YEAR.format("working elsewhere while off sick")),
    Range("t8_serious_share", 0.40, 0.60, "share of those that are serious"),
    Range("t9_prevalence", 0.0004, 0.0006, WITHIN_A_YEAR.format("disclosure of data"), SETTINGS + ": 0.05 %"),
    Range("t9_serious_share", 0.95, 0.95, "share of those that are serious"),
    Range("companion_share", 0.03, 0.06, "share of episodes of T1, T2, T4 that bring one of another of these at about the same time"),
    Range("t1_mild_times", 8.0, 13.0, "own-record changes after the tour, times the person's innocent rate"),
    Range("t2_mild_times", 8.0, 13.0, "minutes claimed and not worked, times the person's innocent rate"),
    Range("t4_mild_times", 9.0, 14.0, "look-ups without a purpose, times the person's innocent rate"),
    Range("serious_over_mild", 1.8, 2.4, "how much stronger the traces of a serious episode are"),
    Range("t3_remote_share", 0.50, 0.75, "tours worked remotely in an episode of T3"),
    Range("t5_views_per_tour", 0.05, 0.09, "views of a vulnerable person's record outside any case, in an episode of T5"),
    Range("t6_uses_per_tour", 0.010, 0.020, "look-ups of an undeclared associate, in an episode of T6"),
    Range("t7_claims_per_tour", 0.05, 0.08, "false expense items, in an episode of T7"),
    Range("t8_spells_per_year", 2.0, 3.0, "spells off sick spent at other work, in an episode of T8"),
    Range("t9_bursts_per_tour", 0.02, 0.04, "tours with a burst of exports, in an episode of T9"),
    # detection and findings
    Range("detection_per_serious_year", 0.22, 0.43, "chance rate that a year of serious conduct comes to notice without a tool",
          SETTINGS + ": 20 to 35 % in a year"),
    Range("detection_per_mild_year", 0.051, 0.051, "the same for mild conduct", SETTINGS + ": 5 % in a year"),
    Range("days_to_notice", 45, 75, "median days from conduct to the opening of a case"),
    Range("proven_serious", 0.72, 0.82, "share of detected serious episodes that end in a finding", "DOMAIN 2.4: about 80 % of proceedings are proven (gov.uk)"),
    Range("proven_mild", 0.50, 0.62, "the same for mild episodes"),
    Range("other_cases_per_year", 0.027, 0.031, "conduct cases about anything else, per person", "DOMAIN 2.4: 3.2 % of the workforce have an involvement in a year (Casey review)"),
    Range("other_cases_proven", 0.24, 0.28, "share of those that end in a finding", "DOMAIN 2.4: 33 % of finalised allegations have a case to answer, about 80 % of proceedings are proven"),
    Range("unfounded_cases_per_year", 0.004, 0.006, "allegations of the planted kinds against people who did nothing of it"),
    Range("quick_finding_share", 0.60, 0.60, "share of findings made quickly", "fitted to DOMAIN 2.4: mean 400 days, about 20 % over two years (one lognormal cannot have both)"),
    Range("quick_finding_days", 120, 120, "median days to a quick finding", "fitted, as above"),
    Range("slow_finding_days", 715, 715, "median days to a slow finding", "fitted, as above"),
    Range("leaves_before_outcome", 0.045, 0.045, "people under investigation who leave because of it before the outcome", "fitted to DOMAIN 2.4: with ordinary departures, 15 % leave before the outcome"),
    Range("leaver_case_stays_open", 0.5, 0.5, "chance that a case is never closed once its subject has left"),
    Range("bias_constable", 1.5, 1.5, "detection of constables at equal conduct (casey, adversarial)", SETTINGS),
    Range("bias_minority", 1.4, 1.4, "detection in minority groups at equal conduct (casey, adversarial)", SETTINGS + "; Casey review reports 55 to 81 % more allegations"),
    Range("bias_active_supervisor", 2.0, 2.0, "detection in teams with an active supervisor (casey, adversarial)", SETTINGS),
    # innocent explanations
    Range("short_team_share", 0.10, 0.14, "teams that are short-staffed for a year or more"),
    Range("short_team_vacancies", 0.30, 0.40, "share of posts that stand empty there"),
    Range("short_team_times", 2.5, 3.5, "roster changes, run-on and rest-day working there, times the usual"),
    Range("aid_travel_share", 0.20, 0.30, "deployments whose claims include travel that no tour shows"),
    Range("deployment_chance", 0.35, 0.35, "chance that a member of the aid pool is sent to an operation"),
    Range("part_timer_times", 4.0, 6.0, "rest days that part-timers swap for themselves, times the usual"),
    Range("self_kept_times", 16.0, 24.0, "own-record changes in roles that keep their own roster, times the usual"),
    Range("handover_share", 0.05, 0.08, "tours in custody and on the roads with a paid handover that the book-off does not show"),
    Range("head_times", 1.8, 2.4, "own-record changes of supervisors, whom nobody enters for, times the usual"),
    Range("head_on_behalf", 0.25, 0.25, "uses of systems that supervisors make on behalf of the team"),
    Range("head_checks", 5.0, 5.0, "checks of colleagues that supervisors make, times the usual"),
    Range("probationer_times", 3.5, 5.0, "own errors put right in the first year of service, times the usual"),
    Range("aid_pool_share", 0.08, 0.12, "officers outside public order who are sent on aid"),
    Range("part_time_share", 0.08, 0.11, "people with part-time patterns"),
    Range("compressed_share", 0.06, 0.06, "people with compressed hours"),
    Range("desk_uses", 1.0, 1.0, "uses of systems at desks whose work is searching, as a share of what such desks need"),
    Range("inquiries_per_year", 2.0, 3.0, "major inquiries"),
    Range("inquiry_share", 0.10, 0.16, "detectives moved to a major inquiry"),
    Range("late_authoriser_share", 0.08, 0.12, "teams whose changes and claims are entered in a batch after the pay period closes"),
    Range("late_authoriser_times", 5.0, 7.0, "own-record changes there, times the usual"),
    Range("old_terminal_share", 0.08, 0.12, "teams whose terminals keep the wrong time in summer and lose nights at midnight"),
    Range("contact_times", 1.0, 1.0, "how far the public contact of a role shows in complaints"),
    Range("whistleblower_share", 0.010, 0.016, "people who report wrongdoing, and are complained of after it"),
    Range("retaliation_per_year", 2.5, 4.0, "complaints by colleagues against somebody who reported wrongdoing, in the year after"),
    Range("assaults_per_year", 0.05, 0.07, "assaults on a person at work"),
    # innocent exposure
    Range("own_change_per_tour", 0.003, 0.005, "book-off times a person puts right on their own record"),
    Range("unworked_claim_per_tour", 0.003, 0.004, "claims that turn out longer than the work, by error"),
    Range("odd_look_up_per_tour", 0.0030, 0.0045, "look-ups without a link or a stated purpose, by negligence"),
    Range("careless_spread", 0.45, 0.60, "standard deviation of the log of a person's innocent rates of error"),
    Range("activity_spread", 0.60, 0.75, "standard deviation of the log of a person's volume of work, overtime and searches"),
    Range("explained_spread", 0.8, 1.0, "standard deviation of the log of how far an innocent explanation shows in a person's records"),
    Range("complaints_per_contact_year", 0.10, 0.14, "public complaints against a neighbourhood officer; response and custody have more", "DOMAIN 2.4: 22,790 allegations in a year (IOPC), most of which name nobody"),
    Range("expenses_per_tour", 0.008, 0.012, "expense items, in a role that does not travel"),
    Range("interest_share", 0.06, 0.09, "people with a business interest or second job that they declared"),
    Range("association_share", 0.02, 0.03, "people with a declared notifiable association"),
    Range("membership_share", 0.01, 0.02, "people who declared membership of a hierarchical, political or religious body"),
    Range("intel_per_year", 0.004, 0.006, "items of unverified intelligence, per person"),
    # absence
    Range("sickness_spells_per_year", 0.8, 1.0, "ordinary spells of sickness", "DOMAIN 2.4: about half took none in a year"),
    Range("fluctuating_condition_share", 0.04, 0.06, "people with a disability that brings many short spells"),
    Range("injured_of_assaulted", 0.45, 0.45, "assaults that bring an injury"),
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
    Preset.NULL: {},
}  # fmt: skip

# At published rates a force of 2,000 would settle a handful of findings a year, too few to learn or to
# measure from. A dense force has more of the three commonest kinds of conduct, and notices more of it.
DENSE: Mapping[str, float] = {
    "t1_prevalence": 3.2, "t1_serious_share": 2.4, "t2_prevalence": 15.0, "t4_prevalence": 2.35,
    "t4_serious_share": 3.2, "companion_share": 5.0, "detection_per_serious_year": 3.7,
    "detection_per_mild_year": 9.0, "other_cases_per_year": 1.6, "other_cases_proven": 0.8,
    "unfounded_cases_per_year": 2.0, "leaves_before_outcome": 0.3,
}  # fmt: skip


@dataclass(frozen=True)
class Parameters:
    """The drawn values by name, as `parameters["contagion"]`; `kinds` are the look-alikes present."""

    preset: Preset
    dense: bool
    kinds: frozenset[str]
    values: Mapping[str, float]

    def __getitem__(self, name: str) -> float:
        return self.values[name]

    def record(self) -> dict[str, dict[str, float | str]]:
        """Value, range, factors, meaning and source of every parameter, for the answer key."""
        return {
            one.name: {
                "value": self.values[one.name],
                "low": one.low,
                "high": one.high,
                "preset_factor": PRESETS[self.preset].get(one.name, 1.0),
                "dense_factor": DENSE.get(one.name, 1.0) if self.dense else 1.0,
                "says": one.says,
                "source": one.source,
            }
            for one in RANGES
        }


def drawn(
    draws: Draws,
    preset: Preset,
    *,
    dense: bool = False,
    kinds: Collection[str] = frozenset(NEUTRAL),
    conduct: bool = True,
) -> Parameters:
    """Every parameter, drawn from its range by seed and name.

    Args:
        dense: raise conduct and its detection by `DENSE`.
        kinds: the look-alikes present; the parameters of the others take the value at which they do nothing.
        conduct: whether anybody is in an episode of misconduct at all.
    """
    values = {
        one.name: _between(one, draws)
        * PRESETS[preset].get(one.name, 1.0)
        * (DENSE.get(one.name, 1.0) if dense else 1.0)
        for one in RANGES
    }
    for kind, neutral in NEUTRAL.items():
        if kind not in kinds:
            values.update(neutral)
    if not conduct:
        values.update({name: 0.0 for name in values if name.endswith("_prevalence")})
    return Parameters(preset, dense, frozenset(kinds), values)


def _between(one: Range, draws: Draws) -> float:
    position = draws.stream(f"parameter {one.name}").random()
    return math.exp(math.log(one.low) + position * (math.log(one.high) - math.log(one.low)))

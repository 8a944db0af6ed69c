"""The simulated world before anybody writes anything down: what all tables have in common."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from evenhand.force import absence, conduct, operations
from evenhand.force.draws import DAYS_LIMIT, PEOPLE_LIMIT, Draws, Flags, Floats, Ints
from evenhand.force.parameters import Parameters
from evenhand.force.people import PC, Calendar, People, Teams, recruited, role_index
from features.errors import WrongUsage

PEOPLE_A_BLOCK = 512


@dataclass(frozen=True, eq=False)
class World:
    """Who serves where, who does what, who is away; [person] arrays are small, whatever the size of the force.

    `uses_per_tour` is how often a tour brings a routine use of a system, on average over the force.
    """

    calendar: Calendar
    people: People
    teams: Teams
    episodes: conduct.Episodes
    frailty: Floats
    cases: conduct.Cases
    has: absence.Conditions
    absence: absence.Absence
    ops: operations.Operations
    pool: Flags
    moved: tuple[Ints, Ints]
    parameters: Parameters
    draws: Draws
    protected: Draws
    uses_per_tour: float

    @property
    def blocks(self) -> list[tuple[int, int]]:
        """First person and the one after the last of each block."""
        n = len(self.people)
        return [(first, min(first + PEOPLE_A_BLOCK, n)) for first in range(0, n, PEOPLE_A_BLOCK)]

    def habit(self, purpose: str, spread: str) -> Floats:
        """Each person's factor of mean 1 for something, by the name of its spread."""
        key = (purpose, spread)
        if key not in self._habits:
            self._habits[key] = self.draws.habits(len(self.people), purpose, self.parameters[spread])
        return self._habits[key]

    @cached_property
    def _habits(self) -> dict[tuple[str, str], Floats]:
        return {}

    @cached_property
    def planners(self) -> Ints:
        """Who enters roster changes; the record carries the number of the post's log-on."""
        planning = self.teams.role[self.people.team] == role_index("PLANNING")
        return np.flatnonzero(planning & (self.people.rank <= PC))


def simulated(
    officers: int,
    calendar: Calendar,
    parameters: Parameters,
    draws: Draws,
    protected: Draws,
    *,
    uses_per_tour: float,
) -> World:
    """The world of so many posts.

    Raises:
        WrongUsage: more people or days than row codes can name.
    """
    people, teams = recruited(officers, calendar, parameters, draws)
    if len(people) >= PEOPLE_LIMIT or calendar.days >= DAYS_LIMIT:
        raise WrongUsage(
            f"{len(people):,} people over {calendar.days:,} days are more than row codes can name."
        )
    episodes, frailty = conduct.planted(people, teams, calendar, parameters, draws)
    people, episodes, cases = conduct.noticed(people, teams, episodes, frailty, calendar, parameters, draws)
    has = absence.conditions(people, calendar, parameters, protected)
    ops = operations.operations(calendar, parameters, draws)
    return World(
        calendar=calendar,
        people=people,
        teams=teams,
        episodes=episodes,
        frailty=frailty,
        cases=cases,
        has=has,
        absence=absence.absences(people, has, episodes, calendar, parameters, draws, protected),
        ops=ops,
        pool=operations.aid_pool(people, teams, parameters, draws),
        moved=operations.inquiry_teams(people, teams, ops, parameters, draws),
        parameters=parameters,
        draws=draws,
        protected=protected,
        uses_per_tour=uses_per_tour,
    )

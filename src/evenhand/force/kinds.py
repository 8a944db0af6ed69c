"""Innocent explanations: what each is, and how it is switched off.

Each raises what a count of records would call suspicious, and each leaves rows that tell why.
"""

from __future__ import annotations

from collections.abc import Mapping

# In the order of the project's domain notes, 2.3.
CONFOUNDERS = (
    "short_staffed_team",
    "disability_sickness",
    "pregnancy_maternity",
    "part_time",
    "public_order_aid",
    "major_investigation",
    "many_searches_role",
    "supervisor_on_behalf",
    "federation_rep",
    "clock_change",
    "injury_on_duty",
    "probationer",
    "late_authoriser",
    "high_contact_role",
    "whistleblower",
)

KINDS: Mapping[str, str] = {
    "short_staffed_team": "the team was short of people: roster changes and overtime were asked for",
    "disability_sickness": "an arrangement agreed with the person accounts for what was seen",
    "pregnancy_maternity": "an absence that the law protects accounts for what was seen",
    "part_time": "an agreed part-time pattern brings swapped days",
    "public_order_aid": "deployed to operations: rest-day work and claims follow the deployment orders",
    "major_investigation": "moved to a major inquiry: overtime, searches and late hours carry its code",
    "many_searches_role": "the role calls for many searches, mostly on behalf of others",
    "supervisor_on_behalf": "a supervisor who uses systems on behalf of the team",
    "federation_rep": "absent on duties that the force agreed to and that are nobody's concern here",
    "clock_change": "the terminal's clock or the end of the roster's day put the times off duty, not the person",
    "injury_on_duty": "hurt at work: the absence and the complaint follow from the same incident",
    "probationer": "new in service: errors, put right openly",
    "late_authoriser": "asked for in time and entered late, in a batch, by arrangement of the unit",
    "high_contact_role": "the role meets many members of the public, and complaints are few for that many",
    "whistleblower": "complaints began after the person had reported wrongdoing by colleagues",
    "self_kept_roster": "the unit has no planner; everybody enters their own changes",
    "handover_claims": "handing over is paid time there and does not show in the book-off",
}

# The values of parameters at which an explanation does nothing.
NEUTRAL: Mapping[str, Mapping[str, float]] = {
    "short_staffed_team": {"short_team_share": 0.0, "short_team_vacancies": 0.0, "short_team_times": 1.0},
    "disability_sickness": {"fluctuating_condition_share": 0.0},
    "pregnancy_maternity": {"pregnancies_per_year": 0.0},
    "part_time": {"part_time_share": 0.0, "compressed_share": 0.0, "part_timer_times": 1.0},
    "public_order_aid": {"aid_pool_share": 0.0, "deployment_chance": 0.0, "aid_travel_share": 0.0},
    "major_investigation": {"inquiries_per_year": 0.0, "inquiry_share": 0.0},
    "many_searches_role": {"desk_uses": 0.0},
    "supervisor_on_behalf": {"head_times": 1.0, "head_on_behalf": 0.0, "head_checks": 1.0},
    "federation_rep": {"union_share": 0.0},
    "clock_change": {"old_terminal_share": 0.0},
    "injury_on_duty": {"assaults_per_year": 0.0},
    "probationer": {"probationer_times": 1.0},
    "late_authoriser": {"late_authoriser_share": 0.0, "late_authoriser_times": 1.0},
    "high_contact_role": {"contact_times": 0.0},
    "whistleblower": {"whistleblower_share": 0.0, "retaliation_per_year": 0.0},
    "self_kept_roster": {"self_kept_times": 1.0},
    "handover_claims": {"handover_share": 0.0},
}

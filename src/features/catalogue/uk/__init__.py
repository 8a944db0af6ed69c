"""What Evenhand asks of a UK force's records, and why each question is fair to ask.

Written to be read by those who must answer for it. Each idea says what it counts, over how many days, which
kind of conduct it speaks to, and the ordinary explanations a reviewer should look for first. Ideas that speak
to none are context. One module a kind of conduct; `events` says what a row is read as, `parts` who is
comparable with whom.
"""

from features.catalogue.uk.force import CATALOGUE, FORCE

__all__ = ["CATALOGUE", "FORCE"]

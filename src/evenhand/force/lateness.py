"""How long after the event a record of it arrives, from a row's own draw."""

from __future__ import annotations

import numpy as np

from evenhand.force.draws import Floats, Ints

MINUTES_A_DAY = 24 * 60


def known_minutes(draw: Floats) -> Ints:
    """Delay in minutes of a record that comes by machine: minutes, in 3 % days, in 0.4 % months."""
    late = np.flatnonzero(draw >= 0.966)
    minutes = (1 + 30 * draw / 0.966).astype(np.int32)
    rest = draw[late]
    days = MINUTES_A_DAY * (1 + 6 * (rest - 0.966) / 0.03)
    months = MINUTES_A_DAY * (20 + 90 * (rest - 0.996) / 0.004)
    minutes[late] = np.where(rest < 0.996, days, months)
    return minutes


def known_days(draw: Floats, typical_days: float) -> Ints:
    """Delay in minutes of a record that comes by hand: about `typical_days`, in 3 % months."""
    usual = typical_days * -np.log1p(-np.minimum(draw / 0.97, 1.0) * (1 - 1e-6))
    late = 20 + 100 * (draw - 0.97) / 0.03
    return (MINUTES_A_DAY * np.where(draw < 0.97, np.minimum(usual, 15 * typical_days), late)).astype(
        np.int64
    ) + 1

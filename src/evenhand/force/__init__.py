"""A simulated UK police force: extracts as its systems would export them, and an answer key held apart."""

from evenhand.force.kinds import CONFOUNDERS
from evenhand.force.simulate import simulate

__all__ = ["CONFOUNDERS", "simulate"]

"""The trees of a LightGBM model, read from its own text.

They are read for exact contributions, whose form asks for more than LightGBM does: one score a row, constant
leaves, and covers (how many training rows reached a node) that add up. Any other model is `Unsuited`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lightgbm import Booster

# Of LightGBM's `decision_type`: what bits 0 and 1 say, and two of the three things that bits 2 and 3 can say
# (the third, 2, is that nan is missing).
CATEGORICAL, MISSING_GOES_LEFT = 1, 2
NOTHING_IS_MISSING, ZERO_IS_MISSING = 0, 1


class Unsuited(ValueError):
    """A model whose contributions have no quadrature form here; the message says why."""


@dataclass(frozen=True, eq=False)
class Tree:
    """One tree. Inner nodes are numbered from 0, the root; a child `c` below 0 is the leaf `~c`.

    Attributes:
        feature, threshold, decision: of each inner node, as LightGBM writes them; the threshold of a
            categorical split is its place in `categories`.
        left, right: children of each inner node.
        values: of each leaf, log-odds.
        rows, leaf_rows: training rows that reached each inner node and each leaf.
        categories: for each categorical split the codes that go left, as bits of 32-bit words.
    """

    feature: np.ndarray
    threshold: np.ndarray
    decision: np.ndarray
    left: np.ndarray
    right: np.ndarray
    values: np.ndarray
    rows: np.ndarray
    leaf_rows: np.ndarray
    categories: tuple[np.ndarray, ...]

    @property
    def n_nodes(self) -> int:
        """Inner nodes; 0 for a tree that gives everybody the same."""
        return len(self.feature)

    @property
    def expected(self) -> float:
        """The mean over training rows of what it gives."""
        return float(self.leaf_rows @ self.values / self.rows[0]) if self.n_nodes else float(self.values[0])

    @property
    def share_left(self) -> np.ndarray:
        """The share of each inner node's training rows that went left.

        Raises:
            Unsuited: somewhere it is none or all of them, or left and right are not the whole.
        """
        left, right = self._rows_of(self.left), self._rows_of(self.right)
        if not ((left + right == self.rows) & (left > 0) & (right > 0)).all():
            raise Unsuited("a node's training rows are not those of its two children")
        return left / self.rows

    def _rows_of(self, child: np.ndarray) -> np.ndarray:
        return np.where(child >= 0, self.rows[np.maximum(child, 0)], self.leaf_rows[np.maximum(~child, 0)])


def read_trees(booster: Booster) -> list[Tree]:
    """The trees that `booster.predict` adds up: up to its best iteration, where it has one.

    Raises:
        Unsuited: several scores a row, trees that are averaged, or leaves that are not constant.
    """
    about, *trees = map(_entries, booster.model_to_string().split("\nTree="))
    if about.get("num_tree_per_iteration") != "1":
        raise Unsuited("it gives several scores a row")
    if "average_output" in about:
        raise Unsuited("its trees are averaged, not added")
    return [_tree(entries) for entries in trees]


def _entries(text: str) -> dict[str, str]:
    """The lines `name=value` before the first empty line; a line may be a name alone."""
    lines = text.partition("\n\n")[0].splitlines()
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def _tree(entries: Mapping[str, str]) -> Tree:
    def numbers(name: str, kind: type = float) -> np.ndarray:
        return np.array(entries.get(name, "").split(), dtype=kind)

    if entries.get("is_linear", "0") != "0":
        raise Unsuited("its leaves are linear, not constant")
    words, bounds = numbers("cat_threshold", np.uint32), numbers("cat_boundaries", int)
    return Tree(
        feature=numbers("split_feature", int),
        threshold=numbers("threshold"),
        decision=numbers("decision_type", int),
        left=numbers("left_child", int),
        right=numbers("right_child", int),
        values=numbers("leaf_value"),
        rows=numbers("internal_count"),
        leaf_rows=numbers("leaf_count"),
        categories=tuple(words[start:end] for start, end in pairwise(bounds)),
    )

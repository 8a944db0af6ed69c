"""Exact contributions of trees, by quadrature.

A feature's contribution is the mean, over all orders in which features may become known, of what knowing it
changes. For one leaf of value v it is

    v (o - r) * integral over t from 0 to 1 of the product over the path's other features of r' + t (o' - r'),

where o is 1 if the row keeps all splits on the feature along the path and 0 if not, and r is the share of
training rows that keep them. The product is a polynomial in t of degree one less than there are features on
the path, so a Gauss-Legendre sum over half as many points as features is exact. At one t all leaves are summed
by one walk down and up the tree. A node that sends a share r left weighs what lies above it by

    f = r + t / f_a * e  on the left and 1 - f on the right,  e = o_a (s - r),  f_a = r_a (1 - t) + t;

s is 1 if the row goes left and 0 if not; o_a and r_a are the o and r of earlier splits on the same feature, both 1
where there are none. With G the product of the weights above the node, and D how much more the left subtree
gives than the right, the feature's contribution grows by e r_a / f_a² G D. No divisor depends on the row, so
nothing cancels.

After Linear TreeSHAP (Yu et al. 2022) and Quadrature-TreeSHAP (arXiv 2605.04497). The values are those of
LightGBM's `pred_contrib` and of shap's path-dependent TreeExplainer.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numba import njit

from models.trees import (
    CATEGORICAL,
    MISSING_GOES_LEFT,
    NOTHING_IS_MISSING,
    ZERO_IS_MISSING,
    Tree,
)

# Rows that walk together, so that each step is a loop over neighbouring numbers. A constant, so that a row's
# result depends neither on the number of threads nor on the rows beside it.
ROWS = 256
# LightGBM takes what is no further from zero for zero, on whichever side of a threshold it may lie.
ZERO = float(np.float32(1e-35))
NONE = -1

# An inner node, in the order of the walk.
NODE = np.dtype(
    [
        ("feature", np.int64),
        ("depth", np.int64),  # splits above it
        ("goes_left", np.int64),  # whether it is the left child of its parent
        ("share", np.float64),  # of its training rows that go left
        ("earlier", np.int64),  # depth of the last split above on the same feature; NONE if it is the first
        ("earlier_left", np.int64),  # whether the path goes left there
        ("earlier_share", np.float64),  # of training rows that keep the splits above on the feature
        ("left_leaf", np.int64),  # whether the left child is a leaf
        ("right_leaf", np.int64),
        ("left_value", np.float64),  # what that leaf gives
        ("right_value", np.float64),
        ("threshold", np.float64),  # at most this much goes left
        ("unknown_left", np.int64),  # whether what is missing goes left
        ("zero_unknown", np.int64),  # whether 0 counts as missing
        ("codes_from", np.int64),  # categorical split: where in `Forest.codes` its words begin
        ("n_codes", np.int64),  # categorical split: how many codes they hold; NONE for a numeric split
    ]
)


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees laid out for the walk.

    Attributes:
        base: what everybody starts from: what the trees give in the mean, log-odds.
        nodes: NODE records, tree by tree, a parent before its children, the left subtree before the right.
        first: where in `nodes` each tree begins, and where the last ends [trees + 1].
        points: over how many points each tree is summed [trees].
        codes: the codes that go left at categorical splits, as bits of 32-bit words.
    """

    base: float
    nodes: np.ndarray
    first: np.ndarray
    points: np.ndarray
    codes: np.ndarray


def lay_out(trees: Iterable[Tree]) -> Forest:
    """The forest of some trees.

    Raises:
        Unsuited: training rows do not add up somewhere.
    """
    base, nodes, points, codes, n_words = 0.0, [np.empty(0, NODE)], [], [np.empty(0, np.uint32)], 0
    for tree in trees:
        if tree.n_nodes:
            laid, most_features = _in_order(tree, n_words)
            nodes.append(laid)
            points.append((most_features + 1) // 2)
            codes.extend(tree.categories)
            n_words += sum(map(len, tree.categories))
        base += tree.expected
    return Forest(
        base,
        np.concatenate(nodes),
        np.cumsum([len(laid) for laid in nodes]),
        np.array(points, np.int64),
        np.concatenate(codes),
    )


def _in_order(tree: Tree, codes_from: int) -> tuple[np.ndarray, int]:
    """A tree's nodes as NODE records, and the most features on one path."""
    order, parent, goes_left = _walk(tree)
    nodes = np.zeros(tree.n_nodes, NODE)
    nodes["feature"], nodes["goes_left"] = tree.feature[order], goes_left
    nodes["share"] = tree.share_left[order]
    for side, child in (("left", tree.left[order]), ("right", tree.right[order])):
        nodes[f"{side}_leaf"] = child < 0
        nodes[f"{side}_value"] = np.where(child < 0, tree.values[np.maximum(~child, 0)], 0.0)
    most_features = _link(nodes, parent)
    _send(nodes, tree, order, codes_from)
    return nodes, most_features


def _walk(tree: Tree) -> tuple[list[int], list[int], list[bool]]:
    """Inner nodes in the order of the walk, the place of each one's parent in it, and on which side it is."""
    order, parent, goes_left = [], [], []
    waiting = [(0, NONE, False)]
    while waiting:
        node, above, is_left = waiting.pop()
        place = len(order)
        order.append(node)
        parent.append(above)
        goes_left.append(is_left)
        children = ((int(tree.right[node]), place, False), (int(tree.left[node]), place, True))
        waiting.extend(child for child in children if child[0] >= 0)
    return order, parent, goes_left


def _link(nodes: np.ndarray, parent: list[int]) -> int:
    """Fill in depths and earlier splits on the same feature; the most features on one path."""
    feature, goes_left, share = (nodes[name].tolist() for name in ("feature", "goes_left", "share"))
    depth, kept, n_features = [0] * len(nodes), [1.0] * len(nodes), [1] * len(nodes)
    for place, above in enumerate(parent):
        if above == NONE:
            continue
        depth[place] = depth[above] + 1
        earlier, left = above, goes_left[place]
        while earlier != NONE and feature[earlier] != feature[place]:
            earlier, left = parent[earlier], goes_left[earlier]
        n_features[place] = n_features[above] + (earlier == NONE)
        if earlier != NONE:
            kept[place] = kept[earlier] * (share[earlier] if left else 1 - share[earlier])
            nodes["earlier_left"][place] = left
        nodes["earlier"][place] = NONE if earlier == NONE else depth[earlier]
    nodes["earlier"][0] = NONE
    nodes["depth"], nodes["earlier_share"] = depth, kept
    return max(n_features)


def _send(nodes: np.ndarray, tree: Tree, order: list[int], codes_from: int) -> None:
    """Fill in which rows go left, as LightGBM's `NumericalDecision` and `CategoricalDecision` have it."""
    decision, threshold = tree.decision[order], tree.threshold[order]
    missing = (decision >> 2) & 3
    # Where nothing counts as missing, an unknown value is taken for 0.
    nodes["unknown_left"] = np.where(
        missing == NOTHING_IS_MISSING, threshold >= 0, (decision & MISSING_GOES_LEFT) > 0
    )
    nodes["zero_unknown"] = missing == ZERO_IS_MISSING
    nodes["threshold"] = threshold
    nodes["n_codes"] = NONE
    lengths = [len(words) for words in tree.categories]
    begins = codes_from + np.cumsum([0, *lengths])
    for place in np.flatnonzero(decision & CATEGORICAL):
        chosen = int(threshold[place])
        nodes["codes_from"][place], nodes["n_codes"][place] = begins[chosen], 32 * lengths[chosen]


def contributions(forest: Forest, features: np.ndarray, *, threads: int) -> np.ndarray:
    """What each feature adds to each row's score, float64 `[rows, features]`, log-odds.

    With `forest.base` a row's contributions add up to its raw score.

    Args:
        features: float `[rows, features]`, unknown is nan.
        threads: of which each needs some MB; the result is the same to the last bit for any number.

    Raises:
        ValueError: the trees ask for more features than there are.
    """
    asked = int(forest.nodes["feature"].max(initial=NONE)) + 1
    if features.shape[1] < asked:  # compiled code would read beyond the end
        raise ValueError(f"the trees ask for {asked} features, the rows have {features.shape[1]}")
    found = np.empty(features.shape)
    places, weights = _gauss_legendre(int(forest.points.max(initial=1)))
    levels = int(forest.nodes["depth"].max(initial=0)) + 1

    def walk(low: int) -> None:
        block = features[low : low + ROWS]
        rows, shares = np.zeros((2, features.shape[1], ROWS))
        rows[:, : len(block)] = block.T
        rows[np.abs(rows) <= ZERO] = 0.0
        _add(forest.nodes, forest.first, forest.points, forest.codes, places, weights, levels, rows, shares)
        found[low : low + ROWS] = shares[:, : len(block)].T

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(walk, range(0, len(features), ROWS)))
    return found


def _gauss_legendre(most: int) -> tuple[np.ndarray, np.ndarray]:
    """Places and weights between 0 and 1 of the sums over n points, in row n, for n up to `most`."""
    places, weights = np.zeros((2, most + 1, most))
    for n in range(1, most + 1):
        place, weight = np.polynomial.legendre.leggauss(n)
        places[n, :n], weights[n, :n] = (place + 1) / 2, weight / 2
    return places, weights


# "contract" lets a product and a sum be one instruction, "nsz" takes -0 for 0. All of fast maths would also
# take it that there is no nan.
_compiled = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})

# Below, arrays are indexed in full rather than by slices: making a slice counts a reference, which in loops
# as short as these took a quarter of the time.


@_compiled
def _add(nodes, first, points, codes, places, weights, levels, rows, shares):  # type: ignore[no-untyped-def]  # compiled for what it is called with
    """Add the contributions of all trees, for one block of rows, to `shares`.

    Args:
        nodes, first, points, codes: of a `Forest`.
        places, weights: from `_gauss_legendre`.
        levels: one more than the depth of the deepest node.
        rows, shares: [features, ROWS].
    """
    # At each depth of the path: the node; s, o_a and e; G times the weight of the point; and what the left and
    # the right child of the node above give. Made here, where arrays begin on a border of 32 bytes.
    path = np.empty(levels, np.int64)
    known = np.empty((3, levels, ROWS))
    above = np.empty((levels, len(weights) - 1, ROWS))
    below = np.empty((levels + 1, 2, len(weights) - 1, ROWS))
    total = np.empty(ROWS)
    for tree in range(len(points)):
        n = points[tree]
        for place in range(first[tree], first[tree + 1]):
            node = nodes[place]
            path[node.depth] = place
            _decide(node, rows, codes, known)
            if node.depth == 0:
                for q in range(n):
                    above[0, q] = weights[n, q]
            else:
                _descend(nodes[path[node.depth - 1]], node.goes_left, n, places, known, above)
            follows = place + 1 < first[tree + 1]
            until = nodes[place + 1].depth if follows else 0
            for depth in range(node.depth, until - 1, -1):
                _ascend(nodes[path[depth]], n, places, known, above, below, total, shares)


@_compiled
def _decide(node, rows, codes, known):  # type: ignore[no-untyped-def]
    """Set s, o_a and e of a node."""
    depth, feature = node.depth, node.feature
    if node.n_codes == NONE:
        threshold, unknown, zero = node.threshold, float(node.unknown_left), node.zero_unknown != 0
        for row in range(ROWS):
            value = rows[feature, row]
            left = 1.0 if value <= threshold else 0.0
            known[0, depth, row] = unknown if np.isnan(value) or (zero and value == 0) else left
    else:
        for row in range(ROWS):
            value = rows[feature, row]
            known[0, depth, row] = 0.0
            if -1 < value < node.n_codes:  # nan and infinity are no code; what is cut to 0 is code 0
                code = int(value)
                known[0, depth, row] = (codes[node.codes_from + (code >> 5)] >> (code & 31)) & 1
    share, earlier = node.share, node.earlier
    if earlier == NONE:
        for row in range(ROWS):
            known[1, depth, row] = 1.0
            known[2, depth, row] = known[0, depth, row] - share
    else:
        # s or 1 - s of the earlier split, as the path went.
        kept, sign = (0.0, 1.0) if node.earlier_left else (1.0, -1.0)
        for row in range(ROWS):
            keeps = known[1, earlier, row] * (kept + sign * known[0, earlier, row])
            known[1, depth, row] = keeps
            known[2, depth, row] = keeps * (known[0, depth, row] - share)


@_compiled
def _descend(parent, left, n, places, known, above):  # type: ignore[no-untyped-def]
    """Set G of the left, or the right, child of a node."""
    depth, earlier = parent.depth, parent.earlier_share
    share, sign = (parent.share, 1.0) if left else (1 - parent.share, -1.0)
    for q in range(n):
        t = places[n, q]
        step = sign * t / (earlier * (1 - t) + t)
        for row in range(ROWS):
            above[depth + 1, q, row] = above[depth, q, row] * (share + step * known[2, depth, row])


@_compiled
def _ascend(node, n, places, known, above, below, total, shares):  # type: ignore[no-untyped-def]
    """Add a node's contributions to `shares`, and set what it gives, once both of its children have."""
    depth, feature, share, earlier = node.depth, node.feature, node.share, node.earlier_share
    side = 0 if node.goes_left else 1
    for row in range(ROWS):
        total[row] = 0.0
    for q in range(n):
        t = places[n, q]
        divisor = earlier * (1 - t) + t
        step, weight = t / divisor, earlier / (divisor * divisor)
        if node.left_leaf and node.right_leaf:
            right = node.right_value
            more = node.left_value - right
            for row in range(ROWS):
                total[row] += weight * above[depth, q, row] * more
                below[depth, side, q, row] = right + (share + step * known[2, depth, row]) * more
        elif node.left_leaf:
            for row in range(ROWS):
                right = below[depth + 1, 1, q, row]
                more = node.left_value - right
                total[row] += weight * above[depth, q, row] * more
                below[depth, side, q, row] = right + (share + step * known[2, depth, row]) * more
        elif node.right_leaf:
            right = node.right_value
            for row in range(ROWS):
                more = below[depth + 1, 0, q, row] - right
                total[row] += weight * above[depth, q, row] * more
                below[depth, side, q, row] = right + (share + step * known[2, depth, row]) * more
        else:
            for row in range(ROWS):
                right = below[depth + 1, 1, q, row]
                more = below[depth + 1, 0, q, row] - right
                total[row] += weight * above[depth, q, row] * more
                below[depth, side, q, row] = right + (share + step * known[2, depth, row]) * more
    for row in range(ROWS):
        shares[feature, row] += known[2, depth, row] * total[row]

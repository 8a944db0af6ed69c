"""People set beside others at the same date.

Everything here compares rows of one as-of date with each other, so nothing later than that date can enter.
`Values` holds what the comparisons are made of: terms already computed, one number a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from features.specs import Across, Alike, Banded, Colleagues, Idea, Latest, Peers, Term

# A normal distribution's standard deviation is this many times its median absolute deviation.
DEVIATIONS = 1.4826
# Anscombe (1948): with it the square root of a Poisson count has about the same spread whatever its mean.
ANSCOMBE = 3 / 8


@dataclass(frozen=True)
class Ask:
    """A term to be computed through a window; 0 where it looks through none."""

    term: Term
    window: int

    @property
    def place(self) -> tuple[int, int]:
        return id(self.term), self.window


@dataclass(frozen=True, eq=False)
class Values:
    """Terms of some rows (people at dates): numbers with NaN (counts may be whole), categories as words with null.

    Attributes:
        as_of: a number for the date of each row.
    """

    as_of: np.ndarray
    numbers: Mapping[tuple[int, int], np.ndarray]
    words: Mapping[tuple[int, int], pl.Series]
    _codes: dict[int, np.ndarray] = field(default_factory=dict, init=False)

    def of_date(self, index: int) -> slice:
        """The rows of a date; rows are in order of date."""
        low, high = np.searchsorted(self.as_of, [index, index + 1])
        return slice(int(low), int(high))

    def part(self, rows: slice) -> Values:
        """The values of some rows that follow each other, to reckon with: as doubles, however they are held."""
        return Values(
            self.as_of[rows],
            {place: values[rows].astype(np.float64, copy=False) for place, values in self.numbers.items()},
            {place: words[rows] for place, words in self.words.items()},
        )

    def number(self, term: Term, window: int) -> np.ndarray:
        return self.numbers[id(term), window]

    def code(self, latest: Latest) -> np.ndarray:
        """The categories of a register as numbers from 0; those without one are alike too."""
        if id(latest) not in self._codes:
            words = self.words[id(latest), 0].fill_null("")
            self._codes[id(latest)] = words.rank("dense").to_numpy().astype(np.int64) - 1
        return self._codes[id(latest)]


def asks_of(idea: Idea) -> Iterator[Ask]:
    """The terms that the columns of an idea are made of."""
    for window in idea.windows or (0,):
        match idea.of:
            case Peers() as peers:
                yield Ask(peers.of, window)
                yield Ask(peers.exposure, window)
                for one in peers.among.by:
                    yield from _asks_of_likeness(one)
            case Colleagues() as colleagues:
                yield from _asks_of_colleagues(colleagues, window)
            case term:
                yield Ask(term, window)


def _asks_of_likeness(one: Latest | Banded) -> Iterator[Ask]:
    if isinstance(one, Latest):
        yield Ask(one, 0)
    elif isinstance(one.of, Colleagues):
        yield from _asks_of_colleagues(one.of, one.window)
    else:
        yield Ask(one.of, one.window)


def _asks_of_colleagues(colleagues: Colleagues, window: int) -> Iterator[Ask]:
    yield Ask(colleagues.of, window)
    yield Ask(colleagues.by, 0)


def compared(of: Across, window: int, own: Values, at: np.ndarray, everyone: Values) -> np.ndarray:
    """An idea's values for the rows of `own`, each set beside the rows of `everyone`.

    Args:
        at: where in `everyone` each row of `own` stands; there it is told who its peers are. The values of
            the two differ where only some of a person's records count.
    """
    match of:
        case Colleagues():
            return _colleagues(of, window, everyone)[at]
        case Peers(how="robust_z"):
            return _robust_z(of, window, own, at, everyone)
        case Peers():
            higher, equal, others = standing(of, window, own, at, everyone)
            share = np.full(len(at), np.nan)
            return np.divide(higher + equal / 2, others, out=share, where=others > 0)


def _colleagues(colleagues: Colleagues, window: int, everyone: Values) -> np.ndarray:
    values = everyone.number(colleagues.of, window)
    group = _grouped(everyone.as_of, everyone.code(colleagues.by))
    known = ~np.isnan(values)
    filled = np.where(known, values, 0.0)
    total = np.bincount(group, filled)[group] - filled
    others = np.bincount(group, known)[group] - known
    mean = np.full(len(values), np.nan)
    enough = others >= max(colleagues.at_least, 1)
    # A person whom no register names a team for has no colleagues.
    enough &= everyone.words[id(colleagues.by), 0].is_not_null().to_numpy()
    return np.divide(total, others, out=mean, where=enough)


def _grouped(*codes: np.ndarray) -> np.ndarray:
    """Numbers from 0, the same where all codes are the same."""
    group = np.zeros(len(codes[0]), np.int64)
    for code in codes:
        wide = group * (int(code.max(initial=0)) + 1) + code
        group = pl.Series(wide).rank("dense").to_numpy().astype(np.int64) - 1
    return group


def _likenesses(among: Alike, everyone: Values) -> Iterator[np.ndarray]:
    """Groups of comparable rows, from all of `by` down to everybody of a date."""
    codes = [_code(one, everyone) for one in among.by]
    for n_codes in range(len(codes), -1, -1):
        yield _grouped(everyone.as_of, *codes[:n_codes])


def _code(one: Latest | Banded, everyone: Values) -> np.ndarray:
    if isinstance(one, Latest):
        return everyone.code(one)
    if isinstance(one.of, Colleagues):
        values = _colleagues(one.of, one.window, everyone)
    else:
        values = everyone.number(one.of, one.window)
    bands = np.searchsorted(np.array(one.edges), values, side="right")
    return np.where(np.isnan(values), len(one.edges) + 1, bands)


@dataclass(frozen=True, eq=False)
class _Groups:
    """For rows that fall back to the same likeness: which of `everyone` they are compared with.

    `which` are positions among the asked rows, `of_asked` their group; `members` are positions in `everyone`,
    `of_members` theirs. Groups are numbered from 0.
    """

    which: np.ndarray
    of_asked: np.ndarray
    members: np.ndarray
    of_members: np.ndarray

    def median(self, values: np.ndarray) -> np.ndarray:
        """The median of the members' values, by group."""
        frame = pl.DataFrame({"group": self.of_members, "value": values})
        found = frame.group_by("group").agg(pl.col("value").median()).sort("group")
        by_group = np.full(int(self.of_members.max(initial=-1)) + 1, np.nan)
        by_group[found["group"].to_numpy()] = found["value"].to_numpy()
        return by_group


def _groups(among: Alike, asked: np.ndarray, everyone: Values, comparable: np.ndarray) -> Iterator[_Groups]:
    """The asked rows (positions in `everyone`), each in the narrowest group of enough comparable people."""
    waiting = np.arange(len(asked))
    levels = list(_likenesses(among, everyone))
    for level, group in enumerate(levels):
        if not len(waiting):
            return
        sizes = np.bincount(group[comparable], minlength=int(group.max(initial=0)) + 1)
        last = level == len(levels) - 1
        enough = (sizes[group[asked[waiting]]] >= among.at_least) | last
        which, waiting = waiting[enough], waiting[~enough]
        if not len(which):
            continue
        wanted = np.zeros(len(sizes), bool)
        wanted[group[asked[which]]] = True
        members = np.flatnonzero(comparable & wanted[group])
        yield _Groups(which, group[asked[which]], members, group[members])


def _robust_z(peers: Peers, window: int, own: Values, at: np.ndarray, everyone: Values) -> np.ndarray:
    amount, exposure = _amounts(peers, window, everyone)
    own_amount, own_exposure = _amounts(peers, window, own)
    asked = np.flatnonzero(_exposed(peers, own_exposure))
    z = np.full(len(at), np.nan)
    for groups in _groups(peers.among, at[asked], everyone, _exposed(peers, exposure)):
        if not len(groups.members):
            continue
        inside = groups.members
        # In order of rows, so that the sums of doubles are the same every time.
        amounts, exposures = (np.bincount(groups.of_members, of[inside]) for of in (amount, exposure))
        rate = np.divide(amounts, exposures, out=np.full(len(amounts), np.nan), where=exposures > 0)
        u = _surplus(peers, amount[inside], exposure[inside] * rate[groups.of_members])
        middle = groups.median(u)
        spread = DEVIATIONS * groups.median(np.abs(u - middle[groups.of_members]))
        which = asked[groups.which]
        mine = _surplus(peers, own_amount[which], own_exposure[which] * rate[groups.of_asked])
        z[which] = (mine - middle[groups.of_asked]) / np.maximum(spread[groups.of_asked], 1.0)
    return z


def _surplus(peers: Peers, amount: np.ndarray, expected: np.ndarray) -> np.ndarray:
    return 2 * (np.sqrt(amount / peers.unit + ANSCOMBE) - np.sqrt(expected / peers.unit + ANSCOMBE))


def _amounts(peers: Peers, window: int, values: Values) -> tuple[np.ndarray, np.ndarray]:
    return np.maximum(values.number(peers.of, window), 0.0), values.number(peers.exposure, window)


def _exposed(peers: Peers, exposure: np.ndarray) -> np.ndarray:
    return (exposure >= peers.exposure_at_least) & (exposure > 0)


def standing(
    peers: Peers, window: int, own: Values, at: np.ndarray, everyone: Values
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How many peers have a higher rate, how many the same, and how many there are, for each row of `own`.

    All three are 0 where the person's exposure is too small to tell.
    """
    amount, exposure = _amounts(peers, window, everyone)
    own_amount, own_exposure = _amounts(peers, window, own)
    comparable = _exposed(peers, exposure)
    asked = np.flatnonzero(_exposed(peers, own_exposure))
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = np.concatenate([amount / exposure, own_amount / own_exposure])
    # Order is all that counts: ranks are whole numbers, and with them a group and a rate make one key.
    ranks = pl.Series(rates).fill_nan(None).rank("dense").fill_null(0).to_numpy().astype(np.int64)
    rank, own_rank = ranks[: len(amount)], ranks[len(amount) :]
    width = int(ranks.max(initial=0)) + 1
    higher, equal, others = (np.zeros(len(at)) for _ in range(3))
    for groups in _groups(peers.among, at[asked], everyone, comparable):
        keys = np.sort(groups.of_members * width + rank[groups.members])
        which = asked[groups.which]
        mine = groups.of_asked * width + own_rank[which]
        left, right = np.searchsorted(keys, mine, "left"), np.searchsorted(keys, mine, "right")
        begin, end = (np.searchsorted(keys, (groups.of_asked + k) * width) for k in (0, 1))
        # Nobody is their own peer.
        self_there = comparable[at[which]]
        self_rank = rank[at[which]]
        higher[which] = end - right - (self_there & (self_rank > own_rank[which]))
        equal[which] = right - left - (self_there & (self_rank == own_rank[which]))
        others[which] = end - begin - self_there
    return higher, equal, others

"""Votes -> preferences: Davidson's model with ties, intervals clustered by rater and by prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from eval.statistics.verdicts import holm
from experiments.playground.taste.votes import Vote
from toolkit.errors import UserError

Floats = NDArray[np.float64]
CONFIDENCE = 0.95
FEWEST_CLUSTERS = 3
"""With fewer raters, or prompts, a clustered error means nothing: the other factor alone is clustered by."""
NO_ERROR = 1e-8
"""An error below this is none: strengths are fitted to 1e-10. It is unknown then, not zero."""


class Preference(NamedTuple):
    """A method against the baseline, without ties: the share of choices that go to the method."""

    method: str
    share: float
    """P(method chosen | one is chosen), by Davidson's model; 0.5 is no preference."""
    low: float | None
    high: float | None
    """The 95 % interval; None with fewer than three raters and three prompts, or if no vote departs from
    what the model expects."""
    p: float | None
    """Two-sided, against no preference."""
    p_holm: float | None = None
    """The same, corrected over the methods of the test by Holm's procedure."""
    verdict: Literal["better", "worse", "undecided"] = "undecided"
    """By the corrected p and the side of 0.5; never *equal*."""


class Preferences(NamedTuple):
    """What the votes say."""

    against_baseline: list[Preference]
    tie_parameter: float
    """Davidson's nu: 0 without ties; equal methods tie with probability nu / (2 + nu)."""
    votes: int
    ties: int
    raters: int
    prompts: int
    alpha: float | None
    """Krippendorff's alpha (nominal) over pairs that several raters saw; None if there are none."""
    left_share: float | None
    """Share of the left side among choices that are no ties."""
    left_p: float | None
    """Two-sided, against 0.5, clustered by rater if there are at least three."""
    about: str
    """What the intervals speak about: these raters, these prompts, or both as samples."""


def preferences(votes: Sequence[Vote], baseline: str) -> Preferences:
    """Fit Davidson's (1970) extension of Bradley and Terry's model, and judge every method by it.

    P(i over j) is proportional to s_i, P(tie) to nu sqrt(s_i s_j). Strengths are fitted by Newman's (2023)
    iteration from `evalica`; the error is a sandwich clustered by rater and by prompt (Cameron, Gelbach and
    Miller, 2011), never less than by either alone or by single votes, with Student's t at one less than the
    smaller number of clusters. Raises UserError if the baseline is not among the methods.
    """
    methods = sorted({vote.left for vote in votes} | {vote.right for vote in votes})
    if baseline not in methods:
        raise UserError(f"no votes on the baseline '{baseline}'. Methods: {', '.join(methods)}")
    index = {method: place for place, method in enumerate(methods)}
    left = np.array([index[v.left] for v in votes])
    right = np.array([index[v.right] for v in votes])
    choice = np.array([{"left": 1.0, "right": -1.0, "tie": 0.0}[v.choice] for v in votes])
    parameters = _fit(left, right, choice, len(methods))
    raters = np.unique([v.rater for v in votes], return_inverse=True)[1]
    prompts = np.unique([v.prompt for v in votes], return_inverse=True)[1]
    counts = int(raters.max()) + 1, int(prompts.max()) + 1
    factors = [f for f, n in zip((raters, prompts), counts, strict=True) if n >= FEWEST_CLUSTERS]
    variances = _variances(parameters, left, right, choice, index[baseline], factors) if factors else None
    freedom = min((n for n in counts if n >= FEWEST_CLUSTERS), default=2) - 1
    found = []
    for method in methods:
        if method != baseline:
            apart = parameters[index[method]] - parameters[index[baseline]]
            error = None if variances is None else float(np.sqrt(variances[index[method]]))
            found.append(_preference(method, float(apart), error, freedom))
    return Preferences(
        against_baseline=_with_verdicts(found),
        tie_parameter=float(np.exp(parameters[-1])),
        votes=len(votes),
        ties=int((choice == 0).sum()),
        raters=counts[0],
        prompts=counts[1],
        alpha=_alpha(votes),
        **_position(choice, raters),
        about=_about(counts),
    )


def _fit(left: NDArray[np.int64], right: NDArray[np.int64], choice: Floats, methods: int) -> Floats:
    """Log strengths ``[methods]`` and log nu, at the maximum of the likelihood.

    Half a win each way is added between every two methods: a method that never lost has a finite strength.
    """
    import evalica
    import pandas as pd

    pairs = [(i, j) for i in range(methods) for j in range(methods) if i != j]
    names = {1.0: evalica.Winner.X, -1.0: evalica.Winner.Y, 0.0: evalica.Winner.Draw}
    xs = [*left.tolist(), *(i for i, _ in pairs)]
    ys = [*right.tolist(), *(j for _, j in pairs)]
    winners = [*(names[c] for c in choice), *(evalica.Winner.X for _ in pairs)]
    options: dict[str, Any] = {
        "index": pd.Index(range(methods)),
        "weights": [*np.ones(len(choice)).tolist(), *(0.5 for _ in pairs)],
        "tolerance": 1e-10,
        "limit": 10_000,
    }
    if (choice == 0).any():
        fitted = evalica.newman(xs, ys, winners, **options)
        scores, nu = fitted.scores, 2 * fitted.v  # its v weighs 2 sqrt(s_i s_j)
    else:  # nu is 0, which Newman's iteration does not reach
        scores, nu = evalica.bradley_terry(xs, ys, winners, **options).scores, 1e-9
    strengths = scores.reindex(range(methods)).to_numpy(dtype=np.float64)
    return np.append(np.log(strengths), np.log(nu))


def _probabilities(parameters: Floats, left: NDArray[np.int64], right: NDArray[np.int64]) -> Floats:
    """P(left), P(right), P(tie) of each vote: ``[votes, 3]``."""
    first, second = parameters[left], parameters[right]
    logs = np.column_stack([first, second, parameters[-1] + (first + second) / 2])
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    result: Floats = weights / weights.sum(axis=1, keepdims=True)
    return result


def _variances(
    parameters: Floats,
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    choice: Floats,
    baseline: int,
    factors: Sequence[NDArray[np.int64]],
) -> Floats:
    """Variances of the log strengths relative to the baseline's, clustered by all factors: ``[methods + 1]``.

    The last is that of log nu; what is not fitted has 0.
    """
    count = len(parameters)
    design = np.zeros((len(choice), 3, count))  # of each outcome's log weight
    rows = np.arange(len(choice))
    design[rows, 0, left] = 1
    design[rows, 1, right] = 1
    design[rows, 2, left] += 0.5
    design[rows, 2, right] += 0.5
    design[:, 2, -1] = 1
    chances = _probabilities(parameters, left, right)
    mean = np.einsum("vo,vop->vp", chances, design)
    outcome = np.where(choice > 0, 0, np.where(choice < 0, 1, 2))
    scores = design[rows, outcome] - mean
    centred = design - mean[:, None]
    information = np.einsum("vo,vop,voq->pq", chances, centred, centred)
    free = [p for p in range(count) if p != baseline]
    if not (choice == 0).any():
        free.remove(count - 1)  # nu is at its bound
    bread = np.linalg.pinv(information[np.ix_(free, free)])
    result = np.zeros(count)
    result[free] = _clustered(scores[:, free] @ bread, factors)
    return result


def _clustered(influences: Floats, factors: Sequence[NDArray[np.int64]]) -> Floats:
    """Variance of the sum of each column of ``influences`` [votes, parameters], clustered by the factors.

    By two factors: both less their intersection, and never less than any of the three. With few clusters the
    difference may be below zero, and clusters whose votes cancel out have less than single votes.
    """

    def by(codes: NDArray[np.int64]) -> Floats:
        groups = int(codes.max()) + 1
        sums = np.zeros((groups, influences.shape[1]))
        np.add.at(sums, codes, influences)
        squares: Floats = (sums**2).sum(axis=0) * groups / max(1, groups - 1)
        return squares

    if len(factors) == 1:
        return by(factors[0])
    first, second = factors
    both = np.unique(first * (int(second.max()) + 1) + second, return_inverse=True)[1]
    single = [by(codes) for codes in (first, second, both)]
    result: Floats = np.max([single[0] + single[1] - single[2], *single], axis=0)
    return result


def _preference(method: str, apart: float, error: float | None, freedom: int) -> Preference:
    share = float(1 / (1 + np.exp(-apart)))
    if error is None or error < NO_ERROR:
        return Preference(method, share, None, None, None)
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * error
    low, high = (float(1 / (1 + np.exp(-x))) for x in (apart - half, apart + half))
    return Preference(method, share, low, high, float(2 * stats.t.sf(abs(apart) / error, freedom)))


def _with_verdicts(found: Sequence[Preference]) -> list[Preference]:
    """Return the preferences judged by p-values that are corrected over all of them."""
    judged = []
    for preference, p in zip(found, holm([one.p for one in found]), strict=True):
        verdict: Literal["better", "worse", "undecided"] = "undecided"
        if p is not None and p < 1 - CONFIDENCE:
            verdict = "better" if preference.share > 0.5 else "worse"
        judged.append(preference._replace(p_holm=p, verdict=verdict))
    return judged


def _alpha(votes: Sequence[Vote]) -> float | None:
    """Krippendorff's alpha, nominal, over pairs: which method was chosen, or tie."""
    import evalica
    import pandas as pd

    raters = sorted({v.rater for v in votes})
    pairs = sorted({(v.prompt, *sorted((v.left, v.right))) for v in votes})
    table = np.full((len(raters), len(pairs)), np.nan)
    places = {pair: place for place, pair in enumerate(pairs)}
    for vote in votes:
        first, second = sorted((vote.left, vote.right))
        chosen = {"left": vote.left, "right": vote.right, "tie": None}[vote.choice]
        code = 0.0 if chosen is None else 1.0 if chosen == first else 2.0
        table[raters.index(vote.rater), places[vote.prompt, first, second]] = code
    if not (np.isfinite(table).sum(axis=0) > 1).any():
        return None
    value = float(evalica.alpha(pd.DataFrame(table), distance="nominal").alpha)
    return value if np.isfinite(value) else None


def _position(choice: Floats, raters: NDArray[np.int64]) -> dict[str, float | None]:
    """Share of the left among choices, and its p-value against one half, by raters if there are enough."""
    chosen = choice != 0
    if not chosen.any():
        return {"left_share": None, "left_p": None}
    wins = (choice[chosen] > 0).astype(float)
    share = float(wins.mean())
    groups = np.unique(raters[chosen], return_inverse=True)[1]
    count = int(groups.max()) + 1
    if count < FEWEST_CLUSTERS:
        return {"left_share": share, "left_p": float(stats.binomtest(int(wins.sum()), len(wins)).pvalue)}
    sums = np.zeros(count)
    np.add.at(sums, groups, wins - 0.5)
    error = float(np.sqrt((sums**2).sum() * count / (count - 1))) / len(wins)
    p = float(2 * stats.t.sf(abs(share - 0.5) / error, count - 1)) if error else 1.0
    return {"left_share": share, "left_p": p}


def _about(counts: tuple[int, int]) -> str:
    raters, prompts = (n >= FEWEST_CLUSTERS for n in counts)
    if raters and prompts:
        return "raters and prompts like these"
    if prompts:
        return "prompts like these, for these raters"
    return "raters like these, for these prompts" if raters else "these votes"

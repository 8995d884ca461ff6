"""Exploration: lists of a single item that is drawn at random, and the probability of each draw.

The candidates that may be shown have the probabilities

    p(v) = value(v)^(1/T) / sum over the candidates of value^(1/T),    value = predicted CTR · bid

with a temperature T: near 0 the best is shown, as by the auction; with a large one any. The draw is by Gumbel noise,
the first choice of Plackett and Luce (Kool, van Hoof and Welling, "Stochastic Beams and Where to Find Them", ICML
2019).

No bid secures the slot, so that there is no second price: a click pays the bid of its item. So clicks and charges
depend on the request and the item alone, and the charges of one arm tell those of another.

**Off-policy evaluation** needs the probability with which another arm would have shown the item. That arm is asked for
its candidates at the same requests; they are not shown.
"""

from dataclasses import dataclass

import numpy as np

from adi.data.arrays import Array
from adi.online.ranking import Ranked


@dataclass(frozen=True, kw_only=True)
class Counterfactual:
    """Another arm at B requests, (B,) each: probabilities, what the ranking stage predicts, and the truth.

    Args:
        target: the probability that the other arm would have shown the item.
        supported: the sum of its probabilities over what this arm could have shown.
        predicted, expected: the predicted CTR of the shown item, and its mean over the other arm's choices.
        predicted_charge, expected_charge: the same of CTR · bid.
        true_clicks, true_charge: the other arm's expected click and charge by the hidden truth.
    """

    target: Array
    supported: Array
    predicted: Array
    expected: Array
    predicted_charge: Array
    expected_charge: Array
    true_clicks: Array
    true_charge: Array


@dataclass(frozen=True, kw_only=True)
class Shown:
    """The items (B,) that B lists show, -1 for none, the probability of each (B,), and another arm at the requests."""

    item: Array
    propensity: Array
    other: Counterfactual | None


def probabilities(ranked: Ranked, temperature: float) -> Array:
    """The probability of each candidate (B, K); all are 0 where none may be shown.

    Example:
        >>> import numpy as np
        >>> ranked = Ranked(
        ...     items=np.array([[7, 8, 9]]), predicted=np.array([[0.1, 0.2, 0.3]]), bid=np.array([[1.0, 2.0, 9.0]]),
        ...     eligible=np.array([[True, True, False]]), reserve=np.zeros(1), attraction=np.ones((1, 3)),
        ...     outside=np.ones(1),
        ... )
        >>> probabilities(ranked, 1.0).round(3).tolist(), probabilities(ranked, 2.0).round(3).tolist()
        ([[0.2, 0.8, 0.0]], [[0.333, 0.667, 0.0]])
    """
    takes_part = ranked.eligible & (ranked.bid >= ranked.reserve[:, None]) & (ranked.bid > 0.0)
    value = np.where(takes_part, ranked.predicted * ranked.bid, 1.0)
    logit = np.where(takes_part, np.log(value) / temperature, -np.inf)
    highest = logit.max(axis=1, keepdims=True)
    weight = np.exp(logit - np.where(np.isfinite(highest), highest, 0.0))
    total = weight.sum(axis=1, keepdims=True)
    return np.asarray(weight / np.where(total > 0.0, total, 1.0))


def draw(probability: Array, rng: np.random.Generator) -> Array:
    """A column of each row (B,), drawn by `probability` (B, K); -1 where all are 0."""
    with np.errstate(divide="ignore"):
        key = np.log(probability) + rng.gumbel(size=probability.shape)
    return np.where(probability.any(axis=1), key.argmax(axis=1), -1)


def matches(items: Array, others: Array) -> tuple[Array, Array]:
    """The columns of `items` (B, K) that hold `others` (B, L): whether there is one (B, L), and which (B, L).

    Example:
        >>> import numpy as np
        >>> is_there, column = matches(np.array([[5, 9, 2], [8, 5, -1]]), np.array([[2, 7], [5, -1]]))
        >>> is_there.tolist(), column[is_there].tolist()
        ([[True, False], [True, False]], [2, 1])
    """
    order = np.argsort(items, axis=1)
    first_key = np.arange(len(items))[:, None] * (max(items.max(), others.max()) + 2) + 1  # above those of rows before
    keys = (first_key + np.take_along_axis(items, order, axis=1)).ravel()
    position = np.minimum(np.searchsorted(keys, first_key + others), len(keys) - 1)  # (B, L)
    is_there = (keys[position] == first_key + others) & (others >= 0)
    return is_there, np.where(is_there, order.ravel()[position], 0)


def counterfactual(
    column: Array,
    ranked: Ranked,
    probability: Array,
    other: Ranked,
    target: Array,
    matched: tuple[Array, Array],
    *,
    factor: float,
) -> Counterfactual:
    """Another arm at B requests.

    Args:
        column: shown candidates (B,), -1 for none. ranked, probability: this arm's candidates, and (B, K).
        other, target: the other arm's candidates, and their probabilities (B, L).
        matched: `matches` of this arm's items with the other's.
        factor: multiplies the other arm's true probability of a click, up to 1.
    """
    rows, is_shown = np.arange(len(column)), column >= 0
    is_there, position = matched
    is_supported = is_there & (np.take_along_axis(probability, position, axis=1) > 0.0)
    item = np.where(is_shown, ranked.items[rows, column], -1)
    of_item = np.where(other.items == item[:, None], target, 0.0).sum(axis=1)
    shows_nothing = ~target.any(axis=1)  # where this arm shows nothing, the other does so with probability 1 or 0
    supported = np.where(shows_nothing, 0.0, np.where(is_supported, target, 0.0).sum(axis=1))
    predicted = np.where(is_shown, ranked.predicted[rows, column], 0.0)
    truth = np.minimum(1.0, factor * other.attraction / (other.attraction + other.outside[:, None]))
    return Counterfactual(
        target=np.where(is_shown, of_item, shows_nothing.astype(float)),
        supported=np.where(is_shown, np.minimum(supported, 1.0), shows_nothing.astype(float)),
        predicted=predicted,
        expected=(target * other.predicted).sum(axis=1),
        predicted_charge=predicted * np.where(is_shown, ranked.bid[rows, column], 0.0),
        expected_charge=(target * other.predicted * other.bid).sum(axis=1),
        true_clicks=(target * truth).sum(axis=1),
        true_charge=(target * truth * other.bid).sum(axis=1),
    )

"""The ranking stage and the auction, the same for all arms: a list's slots go to the highest predicted CTR × bid.

A generalized second-price auction (Edelman, Ostrovsky and Schwarz, "Internet Advertising and the Generalized
Second-Price Auction", American Economic Review 2007): whoever is clicked pays the least bid that keeps the slot,

    price(slot) = CTR(slot + 1) · bid(slot + 1) / CTR(slot)

at least the reserve and at most the own bid.
"""

from dataclasses import dataclass

import numpy as np

from adi.data.arrays import Array


@dataclass(frozen=True)
class Slates:
    """The shown lists of B requests, best slot first (B, S): `columns` of the candidates, -1 for an empty slot; `price`
    of a click on each."""

    columns: Array
    price: Array


def auction(predicted: Array, bid: Array, eligible: Array, *, slots: int, reserve: Array) -> Slates:
    """Fill the slots of B lists from K candidates.

    Args:
        predicted: predicted CTR (B, K), above 0. bid, eligible: (B, K).
        reserve: least price (B,); candidates whose bid is below it do not take part.

    Example:
        >>> import numpy as np
        >>> predicted, bid = np.array([[0.25, 0.5, 0.25]]), np.array([[4.0, 3.0, 1.0]])
        >>> slates = auction(predicted, bid, np.ones((1, 3), dtype=bool), slots=2, reserve=np.array([0.5]))
        >>> slates.columns.tolist(), slates.price.tolist()
        ([[1, 0]], [[2.0, 1.0]])
    """
    value = np.where(eligible & (bid >= reserve[:, None]), predicted * bid, -1.0)  # (B, K)
    width = min(slots + 1, value.shape[1])  # one more, who sets the last price
    columns = (
        np.argpartition(-value, width - 1, axis=1)[:, :width] if width < value.shape[1] else np.argsort(-value, axis=1)
    )
    order = np.argsort(-np.take_along_axis(value, columns, axis=1), axis=1, kind="stable")
    columns = np.take_along_axis(columns, order, axis=1)
    ranked, rate, most = (np.take_along_axis(each, columns, axis=1) for each in (value, predicted, bid))
    following = np.zeros_like(ranked)
    following[:, :-1] = np.maximum(ranked[:, 1:], 0.0)
    price = np.minimum(np.maximum(following / rate, reserve[:, None]), most)
    return Slates(np.where(ranked > 0.0, columns, -1)[:, :slots], price[:, :slots])

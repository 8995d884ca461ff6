"""Sessions: the rows of each user, cut into lists of limited length."""

import numpy as np

from benchmarks.portfolio.peers.process.data import Array, Rows


def sessions_of(rows: Rows, length: int) -> tuple[Array, Array]:
    """Cut each user's rows into sessions of `length` + 1, the newest first; returns positions and session numbers.

    A transformer of this length predicts each row but the first from those before it in the session. The oldest row of
    a session is also the newest of the session before, so that each row but a user's first is predicted once.
    Positions are the rows, some of them twice, (m,); within a session they ascend with time.
    """
    ends = np.searchsorted(rows.users, rows.users, side="right")
    newer = ends - 1 - np.arange(len(rows))  # rows of the user after each
    number, twice = newer // length, np.flatnonzero((newer % length == 0) & (newer > 0))
    positions = np.concatenate([np.arange(len(rows)), twice])
    numbers = np.concatenate([number, number[twice] - 1])
    return positions, rows.users[positions].astype(np.int64) * (int(number.max()) + 1) + numbers

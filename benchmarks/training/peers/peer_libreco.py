"""LibRecommender's TwoTower with a softmax over the batch, in TensorFlow, by its own trainer.

Its graph is built by the first call that trains, and every call trains on the same rows, from the first on.
"""

import os
import sys
from typing import Any

NETWORKS = (256, 128, 64)
EMBEDDING_DIM = 64
WARM_UP_STEPS = 3


def build(arrays: dict[str, Any], batch_size: int, threads: int) -> tuple[Any, Any]:
    """The model and its training set, with features of one value; the domain is a feature of the user."""
    import pandas as pd
    from libreco.algorithms import TwoTower
    from libreco.data import DatasetFeat

    columns = {"user": arrays["user"], "item": arrays["item"], "label": 1, "domain": arrays["domain"]}
    side_features: dict[str, list[str]] = {"user": ["domain"], "item": []}
    for name, codes in arrays.items():
        side, _, feature = name.partition(".")
        is_feature = side in side_features and feature
        if is_feature and int(arrays[f"rows.{feature}"]) < len(codes):  # not the id, which the model has anyway
            columns[feature] = codes[arrays[side]]
            side_features[side].append(feature)
    rows, info = DatasetFeat.build_trainset(
        pd.DataFrame(columns),
        user_col=side_features["user"],
        item_col=side_features["item"],
        sparse_col=[*side_features["user"], *side_features["item"]],
        shuffle=False,
    )
    model = TwoTower(
        "ranking",
        info,
        loss_type="softmax",
        embed_size=EMBEDDING_DIM,
        norm_embed=True,
        n_epochs=1,
        lr=1e-3,
        batch_size=batch_size,
        use_bn=True,
        hidden_units=NETWORKS,
        use_correction=False,
        temperature=0.1,
        remove_accidental_hits=False,
        seed=0,
        tf_sess_config={"intra_op_parallelism_threads": threads, "inter_op_parallelism_threads": 1},
    )
    return model, rows


def main() -> None:
    """``peer_libreco.py ARRAYS KIND BATCH_SIZE THREADS DEVICE``; KIND is not used, and DEVICE is the CPU."""
    path, batch_size, threads = sys.argv[1], int(sys.argv[3]), int(sys.argv[4])
    for variable in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = str(threads)
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    answers, sys.stdout = sys.stdout, sys.stderr  # the library prints as it trains
    import numpy as np

    with np.load(path) as stored:
        model, rows = build({name: stored[name] for name in stored.files}, batch_size, threads)
    columns = {name: getattr(rows, name) for name in ("_user_indices", "_item_indices", "_labels", "_sparse_indices")}

    def do(number: int) -> None:
        for name, values in columns.items():
            setattr(rows, name, values[: number * batch_size])
        model.fit(rows, neg_sampling=True, verbose=0, shuffle=False)

    do(WARM_UP_STEPS)
    do(WARM_UP_STEPS)
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        do(int(line.split()[1]))
        print("done", file=answers, flush=True)


if __name__ == "__main__":
    main()

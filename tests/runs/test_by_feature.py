"""Numbers by feature: written and read back, and averaged over runs."""

import numpy as np
import pytest

from adi.errors import AdiError
from adi.runs.by_feature import INTEREST, ByFeature, read_by_feature, write_by_feature
from adi.runs.groups import Estimate, estimates_by_feature


def test_written_and_read_back(tmp_path) -> None:
    values = np.array([[0.5, 1.25], [np.nan, -2.0], [0.0, 3.0]], dtype=np.float32)
    one = ByFeature.of(("history", "<b>"), values, ("search", "feed", "été"))
    assert one.values == {"search": (0.5, 1.25), "feed": (None, -2.0), "été": (0.0, 3.0)}
    write_by_feature(tmp_path / INTEREST, {"user": one})
    assert read_by_feature(tmp_path / INTEREST) == {"user": one}
    assert read_by_feature(tmp_path / "nothing.json") == {}


def test_what_is_not_of_this_form_is_refused(tmp_path) -> None:
    (tmp_path / INTEREST).write_text('{"user": {"features": ["a"]}}')
    with pytest.raises(AdiError, match=r"interest\.json: malformed, with 1 errors.*adi evaluate"):
        read_by_feature(tmp_path / INTEREST)


def test_estimates_by_feature_by_hand() -> None:
    runs = [ByFeature(features=("a", "b"), values={"x": (1.0, None), "y": (0.0, low)}) for low in (2.0, 4.0)]
    assert estimates_by_feature(runs) == {
        "x": (Estimate(1.0, 0.0), Estimate(None)),
        "y": (Estimate(0.0, 0.0), Estimate(3.0, pytest.approx(2**0.5))),
    }

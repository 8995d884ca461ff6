import numpy as np
import pytest

from adi.errors import ArgumentError
from adi.marketplace.settings import Marketplace, draw_memberships


def test_three_domains_have_the_paper_s_names_and_proportions() -> None:
    settings = Marketplace(interactions=300_000)
    assert settings.domain_names == ("search", "feed", "cart")
    # 300,000 x 1365/2142 = 191,176.47, x 167/2142 = 23,389.36, x 610/2142 = 85,434.17: one is left, for the .47
    assert settings.domain_sizes.tolist() == [191_177, 23_389, 85_434]


def test_other_numbers_of_domains_shrink_harmonically() -> None:
    settings = Marketplace(domains=4, users=100, interactions=250)
    assert settings.domain_names == ("d1", "d2", "d3", "d4")
    assert settings.domain_sizes.tolist() == [120, 60, 40, 30]  # 250 in the ratio 1 : 1/2 : 1/3 : 1/4


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"users": 1}, r"^users: 1; give a whole number from 2 "),
        ({"items": 2.5}, r"^items: 2\.5; give a whole number"),
        ({"days": 0}, r"^days: 0; .* from 1 to 36500"),
        ({"seed": -3}, r"^seed: -3; .* from 0 "),
        ({"domains": True}, r"^domains: True; give"),
        ({"user_overlap": 1.5}, r"^user_overlap: 1\.5; give a number from 0 to 1\."),
        ({"shared_strength": float("nan")}, r"^shared_strength: nan"),
        ({"specific_strength": "2"}, r"^specific_strength: '2'"),
        ({"trends": -0.1}, r"^trends: -0\.1; give a number from 0 to 0\.9\."),
        ({"trends": 0.95}, r"^trends: 0\.95; give a number from 0 to 0\.9\."),
        ({"trends": "yes"}, r"^trends: 'yes'; give a number"),
        (
            {"trends": 0.5, "days": 167},
            r"^days: 167 are too many with trends in 3 domains\..* at most 500, or trends 0",
        ),
        ({"items": 35, "domains": 4}, r"^items: 35 are too few for 4 domains.* Give 40 or more"),
        ({"users": 80, "interactions": 159}, r"^interactions: 159 are too few for 80 users.* Give 160 or more"),
    ],
)
def test_wrong_settings_are_refused(setting: dict[str, object], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Marketplace(**setting)  # type: ignore[arg-type]


def test_memberships_keep_to_the_overlap_and_the_weights() -> None:
    shares = np.array([0.5, 0.1, 0.3, 0.1])
    member = draw_memberships(np.random.default_rng(0), 40_000, shares, overlap=0.3, spread=0.5, evenness=1.0)
    number = member.sum(axis=1)
    assert number.min() == 1
    # 70 % in one domain; of the rest half in two, a quarter in three, and what remains in all four
    assert np.bincount(number, minlength=5) / 40_000 == pytest.approx([0, 0.7, 0.15, 0.075, 0.075], abs=0.01)
    assert member[number == 1].mean(axis=0) == pytest.approx(shares, abs=0.01)

import numpy as np
import pytest
from scipy.stats import chisquare

from adi.marketplace.attention import draw_attention
from adi.marketplace.sampler import ClickSampler
from adi.marketplace.settings import Marketplace
from adi.marketplace.truth import draw_truth


def test_draws_follow_the_true_softmax() -> None:
    settings = Marketplace(users=60, items=70, interactions=300, groups=5, clusters=6, shared_strength=1.0)
    truth = draw_truth(settings)
    sampler = ClickSampler(truth, draw_attention(truth))
    rng = np.random.default_rng(8)
    groups, main_share, draws = np.array([[3, 1]]), np.array([0.6]), 60_000
    for d, domain in enumerate(settings.domain_names):
        main = rng.random(draws) < sampler.main_probability(groups, main_share, np.array([d]), np.array([0]))
        # rows of other domains and groups between, which must not disturb
        mixed_domain = np.repeat([d, (d + 1) % 3], [draws, 500])
        mixed_group = np.concatenate([np.where(main, 3, 1), np.full(500, 4)])
        mix = rng.permutation(len(mixed_domain))
        items = np.empty_like(mix)
        items[mix] = sampler.draw(mixed_domain[mix], mixed_group[mix], np.zeros_like(mix), rng)
        seen = np.bincount(items[:draws], minlength=70)
        weight = np.exp(truth.scores(groups, main_share, domain)[0])
        assert (seen[weight == 0] == 0).all()
        assert chisquare(seen[weight > 0], draws * weight[weight > 0] / weight.sum()).pvalue > 0.01


@pytest.mark.parametrize("rounds", [20, 0], ids=["by rejection", "by enumeration"])
def test_a_second_click_is_drawn_from_what_the_first_left(rounds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adi.marketplace.sampler.REJECTION_ROUNDS", rounds)
    monkeypatch.setattr("adi.marketplace.sampler.ENUMERATED", 70 * 33)
    truth = draw_truth(Marketplace(users=60, items=70, interactions=300, groups=5, clusters=6))
    pairs = 20_000
    user = np.repeat(np.arange(pairs), 2)
    full = np.full(2 * pairs, 2)
    items, drawn = ClickSampler(truth, draw_attention(truth)).draw_new(
        user, full - 1, full, np.zeros_like(user), np.random.default_rng(3)
    )
    assert drawn.all()
    weight = np.exp(truth.scores(np.array([[2, 2]]), np.array([0.5]), "feed")[0])
    p = weight / weight.sum()
    second = p * ((p / (1 - p)).sum() - p / (1 - p))  # sum over first i != j of p_i p_j / (1 - p_i)
    for place, expected in enumerate((p, second)):
        seen = np.bincount(items[place::2], minlength=70)
        often = pairs * expected > 5
        assert (
            chisquare(
                np.append(seen[often], seen[~often].sum()),
                pairs * np.append(expected[often], expected[~often].sum()) / expected.sum(),
            ).pvalue
            > 0.01
        )


def test_a_user_who_runs_out_of_items_gives_up_the_rest() -> None:
    truth = draw_truth(Marketplace(users=60, items=70, interactions=300, groups=5, clusters=6))
    eligible = int(truth.eligible[:, 1].sum())
    user = np.repeat([0, 1], [eligible + 7, 3])
    ones, zeros = np.ones_like(user), np.zeros_like(user)
    sampler = ClickSampler(truth, draw_attention(truth))
    items, drawn = sampler.draw_new(user, ones, zeros, zeros, np.random.default_rng(0))
    assert (drawn[user == 0].sum(), drawn[user == 1].sum()) == (eligible, 3)
    assert sorted(items[(user == 0) & drawn]) == np.flatnonzero(truth.eligible[:, 1]).tolist()


@pytest.mark.parametrize("proposals", [100, 0], ids=["by rejection", "by enumeration"])
def test_draws_follow_the_softmax_of_their_moment(proposals: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adi.marketplace.sampler.MAX_PROPOSALS", proposals)
    monkeypatch.setattr("adi.marketplace.sampler.ENUMERATED", 70 * 333)
    settings = Marketplace(
        users=60, items=70, interactions=300, groups=5, clusters=6, shared_strength=1.0, trends=0.8, days=2
    )
    truth = draw_truth(settings)
    attention = draw_attention(truth)
    sampler = ClickSampler(truth, attention)
    rng = np.random.default_rng(8)
    groups, main_share, draws = np.array([[3, 1]]), np.array([0.6]), 30_000
    moments = np.array([3, 140, 287])  # near the beginning, in the middle, the last
    for d, domain in enumerate(settings.domain_names):
        step = rng.permutation(np.repeat(moments, draws))
        domains = np.full(len(step), d)
        main = rng.random(len(step)) < sampler.main_probability(
            np.repeat(groups, len(step), axis=0), np.repeat(main_share, len(step)), domains, step
        )
        items = sampler.draw(domains, np.where(main, 3, 1), step, rng)
        static = np.exp(truth.scores(groups, main_share, domain)[0])
        for moment in moments:
            weight = static * attention.of(np.arange(70), np.asarray(d), np.asarray(moment))
            seen = np.bincount(items[step == moment], minlength=70)
            assert (seen[weight == 0] == 0).all()
            often = draws * weight / weight.sum() > 5
            assert seen[often].sum() > 0.99 * draws
            expected = weight[often] / weight[often].sum() * seen[often].sum()
            assert chisquare(seen[often], expected).pvalue > 0.001

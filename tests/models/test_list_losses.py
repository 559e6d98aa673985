"""List losses: derivatives, slow twins, equalities, and how well each orders fresh options (sheet 039)."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import kendalltau

from conftest import Table
from llull.errors import InputError
from llull.judgments import Judgment, Preferences, named_option
from llull.models.lists import ListLoss, ListScorer, padded
from llull.models.ranked import RankedModel
from llull.models.utility_model import load_utility_model

LOSSES = [
    ListLoss(),
    ListLoss("log_sum", (1, 2)),
    ListLoss("pairs"),
    ListLoss("pairs", (1,)),
    ListLoss("cross_entropy"),
]
TIER = np.array([[0, 1, 2, 3], [0, 1, 1, 2], [0, 1, 0, 0]])
THERE = np.array([[True] * 4, [True] * 4, [True, True, False, False]])


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_match_finite_differences(loss):
    scores, step = np.random.default_rng(0).normal(size=(3, 4)), 1e-6
    slope = loss(scores, TIER, THERE)[1]
    for j in range(4):
        move = step * np.eye(4)[j]
        up, down = (loss(scores + sign * move, TIER, THERE)[0] for sign in (1, -1))
        np.testing.assert_allclose(slope[:, j], (up - down) / (2 * step), atol=1e-8)


@pytest.mark.parametrize("loss", LOSSES)
def test_values_are_those_of_a_slow_twin(loss):
    scores = np.random.default_rng(1).normal(size=(3, 4))
    for row in range(3):
        length, total = int(THERE[row].sum()), 0.0
        s, tier = scores[row, :length], TIER[row, :length]
        if loss.form == "cross_entropy":
            target = np.exp(-tier) / np.exp(-tier).sum()
            total = -sum(q * np.log(np.exp(x) / np.exp(s).sum()) for q, x in zip(target, s, strict=True))
        for i in range(length if loss.form != "cross_entropy" else 0):
            below = [j for j in range(i + 1, length) if tier[j] > tier[i] and (not loss.gaps or j - i in loss.gaps)]
            odds = [np.exp(s[j] - s[i]) for j in below]
            total += np.log(1 + sum(odds)) if loss.form == "log_sum" else sum(np.log(1 + one) for one in odds)
        assert loss(scores, TIER, THERE)[0][row] == pytest.approx(total)


def test_two_options_make_bradley_terry_and_all_gaps_make_plackett_luce():
    scores = np.random.default_rng(2).normal(size=(5, 2))
    two, there = np.tile([0, 1], (5, 1)), np.ones((5, 2), bool)
    for form in ("log_sum", "pairs"):
        expected = -np.log(expit(scores[:, 0] - scores[:, 1]))
        np.testing.assert_allclose(ListLoss(form)(scores, two, there)[0], expected)
    s = np.array([0.3, -1.0, 2.0, 0.1])
    luce = -sum(np.log(np.exp(s[i]) / np.exp(s[i:]).sum()) for i in range(4))
    assert ListLoss()(s[None], TIER[:1], THERE[:1])[0][0] == pytest.approx(luce)


def rankings(orders: np.ndarray) -> Preferences:
    made = [
        Judgment([named_option(f"o{o}") for o in sorted(order)], ranking=[[sorted(order).index(o)] for o in order])
        for order in orders.tolist()
    ]
    return Preferences.from_judgments(made)


def tau(loss: ListLoss, seed: int, noise: float = 0.75, lists: int = 30, width: int = 32) -> float:
    """Kendall's tau of fresh options, at the best of a few strengths for this loss."""
    rng = np.random.default_rng(seed)
    true = rng.normal(size=width) / np.sqrt(width)
    rows, fresh = rng.normal(size=(lists * 8, width)), rng.normal(size=(400, width))
    rated = rows @ true + noise * rng.normal(size=len(rows))
    groups = np.arange(len(rows)).reshape(lists, 8)
    orders = np.take_along_axis(groups, np.argsort(-rated[groups], axis=1), axis=1)
    view = rankings(orders).rankings()
    at = np.array([int(str(name)[1:]) for name in view.options.sources])
    found = [ListScorer(loss, l2).fit(rows[at], view).score(fresh) for l2 in (0.1, 1.0, 10.0, 100.0)]
    return max(float(kendalltau(one, fresh @ true).statistic) for one in found)


@pytest.mark.parametrize("width", [32, 384])
def test_lists_are_close_to_all_pairs(width):
    """Sheet 039: six seeds, 30 lists of 8, rating noise of 0.75; 384 features as there, and 32.

    That lists beat neighbors by 0.005 in tau does not show reliably, and is not asked for. Measured means of lists
    minus neighbors: 0.007, -0.001 and 0.008 with 8, 32 and 384 features, 0.006 with 32 and 120 lists; single seeds
    lie between -0.027 and 0.039, so six seeds do not tell these from 0. With 120 lists, lists are 0.010 behind all
    pairs. List cross-entropy on tiers was behind the others throughout, by 0.02 to 0.09.
    """

    def mean(loss: ListLoss) -> float:
        return float(np.mean([tau(loss, seed, width=width) for seed in range(6)]))

    lists = mean(ListLoss())
    assert lists > mean(ListLoss("pairs")) - 0.01
    assert lists > mean(ListLoss("cross_entropy"))


def test_lists_of_two_give_the_same_scores_whatever_the_form():
    pairs = rankings(np.array([[0, 1], [2, 0], [1, 3], [3, 2], [0, 3]])).rankings()
    rows = np.random.default_rng(0).normal(size=(len(pairs.options), 3))
    first, second = (ListScorer(ListLoss(form)).fit(rows, pairs).weights_ for form in ("log_sum", "pairs"))
    np.testing.assert_allclose(first, second, atol=1e-6)


def test_rankings_of_several_lengths_keep_their_options_and_ties():
    options = [named_option(name) for name in "abc"]
    given = [Judgment(options, ranking=[[2], [0, 1]]), Judgment(options[:2], ranking=[[1], [0]])]
    view = Preferences.from_judgments(given).rankings()
    option, tier, there = padded(view)
    shown = [[str(view.options.sources[o]) for o in row[here]] for row, here in zip(option, there, strict=True)]
    assert [row[0] for row in shown] == ["c", "b"]
    assert tier[there].tolist() == [0, 1, 1, 0, 1]
    tied = Preferences.from_judgments([Judgment(options[:2], ranking=[[0, 1]])]).rankings()
    with pytest.raises(InputError, match="above another"):
        ListScorer().fit(np.ones((2, 1)), tied)
    with pytest.raises(InputError, match="compares nothing"):
        ListLoss(gaps=())


@pytest.mark.parametrize("loss", LOSSES)
def test_as_a_preference_model_it_is_the_same_fit(loss, tmp_path):
    rng = np.random.default_rng(3)
    rows, true = rng.normal(size=(60, 4)), np.array([1.0, -1.0, 0.5, 0.0])
    orders = np.array([rng.permutation(60)[:5] for _ in range(80)])
    felt = rows @ true + rng.gumbel(size=60)
    given = rankings(np.take_along_axis(orders, np.argsort(-felt[orders], axis=1), axis=1))
    encoder = Table([f"o{i}" for i in range(60)], rows)
    model = RankedModel(encoder, loss, l2=2.0).fit(given)
    view = given.rankings()
    scaled = model.scaling_.apply(encoder.encode(view.options).astype(np.float64))
    np.testing.assert_allclose(model.arrays_["weights"], ListScorer(loss, 2.0).fit(scaled, view).weights_, atol=1e-4)
    chosen = RankedModel(encoder, loss).fit(given)
    assert chosen.l2_ in chosen.path_
    again = load_utility_model(chosen.save(tmp_path))
    np.testing.assert_array_equal(again.prob(given), chosen.prob(given))
    assert chosen.score(given) > 0.7
    assert (chosen.uncertainty(given) > 0).all()
    # Told the opposite, it turns round; drawn strongly to what it was, it stays.
    turned = rankings(np.take_along_axis(orders, np.argsort(felt[orders], axis=1), axis=1))
    assert chosen.adapt(turned).score(given) < 0.5
    np.testing.assert_allclose(chosen.adapt(turned, 1e9).prob(given), chosen.prob(given), atol=1e-4)

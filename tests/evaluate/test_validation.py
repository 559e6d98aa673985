import numpy as np
import pytest
from two_tastes import WordCount, make_votes

from llull.errors import InputError
from llull.evaluate import Longest, cross_validate, evaluate
from llull.judgments import Judgment, Preferences, named_option, prompt


@pytest.fixture(scope="module")
def votes() -> Preferences:
    return make_votes()


def test_held_out_measurement_scores_the_model_given(votes):
    train, test = votes.select(np.arange(180)), votes.select(np.arange(180, 360))
    model = WordCount("taste").fit(train)
    found = evaluate(model, test, by=["taste"], name="by taste")
    assert found.model == "by taste"
    np.testing.assert_array_equal(found.predictions.prob, model.prob(model.pairs(test)))
    assert found.overall["accuracy"].value > 0.8
    assert model.fits == 1


def test_rules_that_learn_are_left_out_without_training_data(votes):
    model = WordCount().fit(votes)
    assert "majority source" not in evaluate(model, votes).baselines
    assert "majority source" in evaluate(model, votes, train=votes).baselines
    assert set(evaluate(model, votes, baselines=[Longest()]).baselines) == {"longest"}


def test_each_fold_is_predicted_by_a_model_that_never_saw_its_contexts(votes):
    seen = []

    class Recording(WordCount):
        def fit(self, preferences):
            super().fit(preferences)
            seen.append(set(preferences.table["context_id"].to_pylist()))
            return self

    found = cross_validate(Recording(), votes, folds=4, seed=3)
    contexts = np.array(votes.table["context_id"].to_pylist(), object)
    predictions = found.predictions
    assert len(seen) == 4
    for fold, trained_on in enumerate(seen):
        held_out = set(contexts[predictions.pairs.judgment[predictions.fold == fold]])
        assert held_out
        assert not held_out & trained_on
    assert set().union(*seen) == set(contexts)
    assert not np.isnan(predictions.prob).any()


def test_out_of_fold_probabilities_are_those_of_fits_by_hand(votes):
    found = cross_validate(WordCount("taste"), votes, folds=3, seed=1).predictions
    for fold in range(3):
        inside = np.unique(found.pairs.judgment[found.fold == fold])
        outside = np.setdiff1d(np.arange(len(votes)), inside)
        test = votes.select(inside)
        model = WordCount("taste").fit(votes.select(outside))
        np.testing.assert_allclose(found.prob[found.fold == fold], model.prob(model.pairs(test)))


def test_a_part_of_a_set_is_cut_like_a_set_of_its_own(votes):
    rows = np.arange(0, 360, 2)
    part, own = votes.select(rows), Preferences.from_judgments([votes[int(row)] for row in rows])
    cuts = [cross_validate(WordCount(), judgments, folds=3, seed=4).predictions for judgments in (part, own)]
    np.testing.assert_array_equal(cuts[0].fold, cuts[1].fold)
    np.testing.assert_allclose(cuts[0].prob, cuts[1].prob)


def test_the_model_given_is_not_changed(votes):
    model = WordCount()
    cross_validate(model, votes, folds=2)
    assert model.fits == 0
    assert not hasattr(model, "slopes_")


def test_the_same_seed_gives_the_same_numbers_and_another_gives_others(votes):
    runs = [cross_validate(WordCount(), votes, seed=seed).to_dict() for seed in (1, 1, 2)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_opposed_tastes_need_a_model_each(votes):
    shared = cross_validate(WordCount(), votes, by=["taste"])
    each = cross_validate(WordCount("taste"), votes, by=["taste"])
    assert shared.overall["accuracy"].high < 0.65
    assert each.overall["accuracy"].low > 0.8
    assert each.best_baseline("taste", "long")[0] == "longest"
    assert each.best_baseline("taste", "short")[0] == "shortest"


def test_progress_is_told(votes):
    told = []
    cross_validate(WordCount(), votes, folds=3, progress=lambda done, of: told.append((done, of)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_measuring_by_an_unknown_key_says_which_there_are(votes):
    with pytest.raises(InputError, match=r"cannot measure by 'tast'.*taste"):
        cross_validate(WordCount(), votes, by=["tast"])


def test_judgments_without_pairs_are_refused():
    options = [named_option("x"), named_option("y")]
    skips = [Judgment(options, prompt(f"q{i}"), verdict="cannot_judge") for i in range(10)]
    with pytest.raises(InputError, match="nothing to measure"):
        cross_validate(WordCount(), Preferences.from_judgments(skips), folds=2)

"""What objectives read beside the judgments: numbers from ratings, units from other files or from the judgments."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_tokenizers import byte_level

from llull.align import Inputs, Segments, TrainingSet, prepare
from llull.errors import InputError
from llull.judgments import Judgment, Preferences
from llull.judgments.record import Message, Rating, text_option
from llull.language.templates import Template
from llull.objectives import PairUnits, SingleUnits
from llull.objectives.presets import PRESETS

ANIMALS = ["dog", "cat", "bird"]


def judgments(rated: int = 3, why: str | None = None) -> Preferences:
    made = []
    for number, animal in enumerate(ANIMALS):
        ratings = [Rating(0, "clarity", 4.0 + number), Rating(1, "clarity", 1.0)] if number < rated else []
        options = [text_option(f"The {animal} ran."), text_option(f"A {animal} sat down.")]
        context = [Message("user", f"Tell me of a {animal}.")]
        made.append(
            Judgment(options=options, context=context, ranking=[[0], [1]], ratings=ratings, rationale=why, shown=[1, 0])
        )
    return Preferences.from_judgments(made)


def samples(*animals: str) -> Preferences:
    return Preferences.from_judgments(
        Judgment(
            options=[text_option(f"{animal} {n}") for n in range(2)],
            context=[Message("user", f"Tell me of a {animal}.")],
            verdict="cannot_judge",
        )
        for animal in animals
    )


def prepared(name: str, preferences: Preferences | None = None, **inputs) -> TrainingSet:
    return prepare(preferences or judgments(), PRESETS[name](), Template(byte_level()), inputs=Inputs(**inputs))


def texts(data: TrainingSet, units: str) -> list[str]:
    options = data.units[units].options[:, 0].tolist()
    return [byte_level().decode(data.options[i], skip_special_tokens=True).strip() for i in options]


def test_ratings_become_columns_by_name() -> None:
    data = prepared("RewardGapDPO", columns={"reward": "clarity"})
    main = data.units["main"]
    assert isinstance(main, PairUnits)
    np.testing.assert_array_equal(data.columns["reward"][main.chosen], [4.0, 5.0, 6.0])
    np.testing.assert_array_equal(data.columns["reward"][main.rejected], [1.0, 1.0, 1.0])


def test_judgments_without_the_number_are_left_out_and_counted() -> None:
    data = prepared("RewardGapDPO", judgments(rated=2), columns={"reward": "clarity"})
    assert len(data) == 2
    assert any("1 of 3 judgments left out as an option has no rating for reward" in note for note in data.notes)


def test_an_aspect_that_nobody_rated_is_refused() -> None:
    with pytest.raises(InputError, match="no option for 'reward'; the aspects they rate: clarity"):
        prepared("RewardGapDPO")


def test_numbers_and_units_that_are_not_read_are_refused() -> None:
    with pytest.raises(InputError, match="DPO reads no column reward"):
        prepared("DPO", columns={"reward": "clarity"})
    with pytest.raises(InputError, match="DPO reads no units samples"):
        prepared("DPO", beside={"samples": samples("dog")})


def test_samples_stand_beside_the_judgments_of_their_context() -> None:
    data = prepared("HyPO", beside={"samples": samples("cat", "cow", "dog")})
    assert texts(data, "samples") == ["cat 0", "cat 1", "cow 0", "cow 1", "dog 0", "dog 1"]
    own = data.prompt[data.units["samples"].options[:, 0]]
    main = data.prompt[data.units["main"].options[:, 0]]
    beside = data.beside["samples"].numpy()
    assert own[:2].tolist() == main[beside[:2]].tolist()
    assert own[4:].tolist() == main[beside[4:]].tolist()
    assert own[2] not in main
    assert data.columns["context"].tolist() == data.prompt.tolist()


def test_what_has_to_be_given_is_said() -> None:
    with pytest.raises(InputError, match=r"HyPO reads samples .* --beside.samples FILE"):
        prepared("HyPO")


def test_the_better_options_calibrate_and_that_is_said() -> None:
    data = prepared("VPO")
    assert texts(data, "calibration") == [f"The {animal} ran." for animal in ANIMALS]
    assert any("stand for the samples of calibration" in note for note in data.notes)
    assert texts(prepared("VPO", beside={"calibration": samples("dog")}), "calibration") == ["dog 0", "dog 1"]


def test_rationales_are_answers_to_the_question_why() -> None:
    data = prepared("RDPO", judgments(why="It moves."))
    # What was shown first is A; the better option was shown second.
    assert texts(data, "rationale") == ["Response B is preferable. It moves."] * 3
    asked = byte_level().decode(data.prompts[data.prompt[data.units["rationale"].options[0, 0]]])
    assert "Response A:\nA dog sat down." in asked
    assert "Response B:\nThe dog ran." in asked
    with pytest.raises(InputError, match="give no reasons"):
        prepared("RDPO")


def test_joining_sets_keeps_options_prompts_and_numbers() -> None:
    def made(texts: list[list[int]], prompts: list[list[int]], prompt: list[int], **columns) -> TrainingSet:
        return TrainingSet(
            tuple(np.array(ids, np.int32) for ids in prompts),
            tuple(np.array(ids, np.int32) for ids in texts),
            (None,) * len(texts),
            np.array(prompt),
            {"main": SingleUnits.of(torch.arange(len(texts)))},
            columns={name: torch.tensor(values) for name, values in columns.items()},
            inside={"step": tuple(np.arange(len(ids)) for ids in texts)} if "worth" in columns else {},
        )

    one = made([[5], [6, 7]], [[1], [2]], [0, 1], worth=[1.0, 2.0])
    other = made([[8], [9, 9]], [[3], [2]], [0, 1], gain=[3.0, 4.0])
    joined = one.with_units("other", other)
    assert [ids.tolist() for ids in joined.prompts] == [[1], [2], [3]]
    assert joined.prompt.tolist() == [0, 1, 2, 1]
    assert [ids.tolist() for ids in joined.options] == [[5], [6, 7], [8], [9, 9]]
    assert joined.units["other"].options[:, 0].tolist() == [2, 3]
    assert joined.beside["other"].tolist() == [0, 1]
    np.testing.assert_array_equal(joined.columns["worth"], [1.0, 2.0, np.nan, np.nan])
    np.testing.assert_array_equal(joined.columns["gain"], [np.nan, np.nan, 3.0, 4.0])
    assert [s.tolist() for s in joined.inside["step"]] == [[0], [0, 1], [0], [0, 0]]
    assert joined.fingerprint != one.fingerprint
    turned = joined.with_mismatched(0)
    assert len(turned.columns["worth"]) == len(turned.options) == 6


def test_worths_that_compare_need_options_to_compare() -> None:
    with pytest.raises(InputError, match="reads them one by one"):
        prepared("BCO", segments=Segments(worth="changed"))

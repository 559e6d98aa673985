"""VCC2018: offsets and steps of listeners predict ratings held out (the numbers of docs/real-data/vcc2018.md)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from llull.encoders import OneHot
from llull.judgments import Preferences, read
from llull.models import Ordinal, RatedModel


def loss(model: RatedModel, asked: Preferences) -> float:
    said = model.evidence(asked)
    table = dict(zip(model.known_, model.arrays_["own"], strict=False))
    own = np.array([table.get(name, np.zeros(1)) for name in said.annotators])
    arrays = {**model.arrays_, "own": own}
    return model.loss(model.scaling_.apply(model.encoder_.encode(asked.options())), said, arrays) / len(said.value)


@pytest.mark.slow
def test_who_listens_counts_as_much_as_what_is_heard(real_data: Path) -> None:
    ratings = read(str(real_data / "vcc2018_mos"))
    split = ratings.labels("split")
    asked = ratings.select(split.codes == split.names.index("testing"))
    train = ratings.select(split.codes == split.names.index("training"))
    alike = RatedModel(OneHot(), Ordinal(), l2=1.0, shrinkage=np.inf).fit(train)
    offsets = RatedModel(OneHot(), Ordinal(), l2=1.0).fit(train)
    assert loss(alike, asked) == pytest.approx(1.484, abs=1e-3)
    assert loss(offsets, asked) == pytest.approx(1.298, abs=1e-3)
    systems = np.eye(len(offsets.encoder_.names)) - offsets.scaling_.center
    utilities = systems @ offsets.arrays_["weights"]
    listeners = np.array([offset for offset, _ in offsets.offsets().values()])
    assert (len(utilities), len(listeners)) == (26, 270)
    assert listeners.std() == pytest.approx(1.44, abs=0.01)
    assert utilities.std() == pytest.approx(1.42, abs=0.01)

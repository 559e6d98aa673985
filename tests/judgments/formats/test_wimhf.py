from __future__ import annotations

import pytest

from llull.errors import InputError
from llull.judgments import prompt
from llull.judgments.reading import read


def test_labels_of_a_table(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("prompt,response_A,response_B,label,length_delta\nQ,A,B,1,-3\nQ,A,B,0,4\nQ,A,B,,4\n")
    votes = read(path)
    (account,) = votes.reading.files
    assert (account.format, account.rows, account.judgments) == ("wimhf", 3, 2)
    assert [judgment.ranking for judgment in votes] == [[[0], [1]], [[1], [0]]]
    assert votes[0].context == prompt("Q")
    assert [option.text for option in votes[0].options] == ["A", "B"]
    assert votes[0].tags["length_delta"] == "-3"


def test_an_unknown_label_stops_the_read(read_rows):
    with pytest.raises(InputError, match="unknown label 2"):
        read_rows([{"prompt": "Q", "response_A": "A", "response_B": "B", "label": 2}])

from __future__ import annotations

import gzip

import pytest

from llull.errors import InputError
from llull.judgments import Preferences
from llull.judgments.reading import read

HEADER = """# FILE NAME: 00001-00000001.{ending}
# TITLE: A vote: the final
# DATA TYPE: {ending}
# NUMBER ALTERNATIVES: 4
# NUMBER VOTERS: 9
# ALTERNATIVE NAME 1: Anna
# ALTERNATIVE NAME 2: Bernat
# ALTERNATIVE NAME 3: Write-in
# ALTERNATIVE NAME 4: Write-in
"""
ORDERS = {
    "soc": "5: 1,2,3,4\n4: 4,3,2,1\n",
    "soi": "5: 1,2\n4: 4\n",
    "toc": "5: 1,{2,3},4\n4: {1,2,3,4}\n",
    "toi": "5: {1, 2},4\n4: 4,{1,3}\n",
}
RANKINGS = {
    "soc": [[[0], [1], [2], [3]], [[3], [2], [1], [0]]],
    "soi": [[[0], [1]], [[3]]],
    "toc": [[[0], [1, 2], [3]], [[0, 1, 2, 3]]],
    "toi": [[[0, 1], [3]], [[3], [0, 2]]],
}


@pytest.mark.parametrize("ending", ORDERS)
def test_each_kind_of_order(tmp_path, ending):
    path = tmp_path / f"00001-00000001.{ending}"
    path.write_text(HEADER.format(ending=ending) + ORDERS[ending])
    votes = read(path)
    (account,) = votes.reading.files
    assert (account.format, account.rows, account.judgments) == ("preflib", 2, 2)
    assert [judgment.ranking for judgment in votes] == RANKINGS[ending]
    assert [judgment.weight for judgment in votes] == [5.0, 4.0]
    assert [option.source for option in votes[0].options] == ["Anna", "Bernat", "Write-in (3)", "Write-in (4)"]
    assert votes[0].tags["election"]["TITLE"] == "A vote: the final"
    assert list(Preferences.load(votes.save(tmp_path / "votes.parquet"))) == list(votes)


def test_bad_lines_are_rejects(tmp_path):
    path = tmp_path / "x.soi.gz"
    lines = ["2: 1,2", "many: 1", "1: 1,9", "1: 1,,2", "no order", "1: 1,1"]
    path.write_bytes(gzip.compress((HEADER.format(ending="soi") + "\n".join(lines)).encode()))
    account = read(path).reading.files[0]
    assert (account.rows, account.judgments) == (6, 1)
    assert [reject.line for reject in account.rejects] == [11, 12, 13, 14, 15]


def test_a_file_without_names_is_refused(tmp_path):
    path = tmp_path / "old.soc"
    path.write_text("2\n1,Anna\n2,Bernat\n3,3,1\n3,1,2\n")
    with pytest.raises(InputError, match="ALTERNATIVE NAME"):
        read(path, format="preflib")
    with pytest.raises(InputError, match="ALTERNATIVE NAME"):
        read(path)

import csv
import io

import pandas as pd

from finchmark.leaderboard import standings
from finchmark.leaderboard.export import to_csv, write_csv


def test_the_same_runs_give_the_same_bytes(make_run, tmp_path):
    runs = [make_run({"a": [1, 0], "b": [0, 0]}, label=f"m{i}", folder=str(i)) for i in range(3)]
    one = write_csv(standings(runs), tmp_path / "1.csv").read_bytes()
    assert one == write_csv(standings(runs[::-1]), tmp_path / "2.csv").read_bytes()


def test_lines_end_with_a_line_feed_only(make_run, tmp_path):
    raw = write_csv(standings([make_run({"a": [1]})]), tmp_path / "x.csv").read_bytes()
    assert b"\r" not in raw
    assert raw.endswith(b"\n")


def test_numbers_have_six_decimals_and_nan_is_empty():
    text = to_csv(pd.DataFrame({"a": [1 / 3, float("nan"), -1e-9], "n": [1, 2, 3], "t": [True, False, True]}))
    assert text == "a,n,t\n0.333333,1,true\n,2,false\n0.000000,3,true\n"


def test_text_with_commas_quotes_and_line_ends_comes_back(make_run):
    label = 'a,"b"\nc'
    (first, *_) = csv.DictReader(io.StringIO(to_csv(standings([make_run({"a": [1]}, label=label)]))))
    assert first["model"] == label


def test_a_name_that_a_spreadsheet_would_run_is_defused(make_run):
    table = standings([make_run({"a": [1]}, label="=HYPERLINK(1)")])
    assert "'=HYPERLINK(1)" in to_csv(table)


def test_text_that_no_file_can_hold_is_replaced(tmp_path):
    path = write_csv(pd.DataFrame({"a": pd.Series(["x\ud800"], dtype=object)}), tmp_path / "x.csv")
    assert path.read_bytes() == b"a\nx?\n"

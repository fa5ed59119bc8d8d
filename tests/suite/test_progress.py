"""What people see while runs go on."""

import io

from finchmark import evaluate
from finchmark.suite.progress import PlainProgress


def test_one_display_of_two_runs_counts_each_by_itself(tmp_path):
    out = io.StringIO()
    watcher = PlainProgress(out, every=0.0)
    for name in ("a", "b"):
        evaluate("odyssey/lights", "scripted:random", samples=2, out=tmp_path / name, watcher=watcher)
    counts = [line.partition(" samples")[0] for line in out.getvalue().splitlines()]
    assert counts.count("4/4") == 4  # the last sample's line and the closing one, of each run
    assert counts.count("1/4") == 2
    assert " -" not in out.getvalue()

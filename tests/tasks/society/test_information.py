import numpy as np
import pytest

from finchmark.suite.errors import UsageError
from finchmark.tasks.society.__main__ import main
from finchmark.tasks.society.information import CONDUCTS, POLICIES, Setting, expected_error, measure, play

SMALL = Setting(societies=6, rounds=5, keep=0.7, fresh=0.5)


@pytest.fixture(scope="module")
def forgetful():
    return measure("forgetful", SMALL, permutations=60)


def test_forgetful_societies_lose_what_the_closed_form_says(forgetful):
    for arm, read in (("isolated", forgetful.isolated), ("open", forgetful.opened)):
        inside = (read.error_low <= forgetful.expected[arm] + 1e-9) & (forgetful.expected[arm] <= read.error_high)
        assert inside.mean() >= 0.8, arm
    assert forgetful.isolated.error[0] == 0


def test_news_from_outside_bring_it_back_and_only_the_contrast_says_so(forgetful):
    assert forgetful.contrast.information[0] == pytest.approx(0, abs=1e-9)
    assert forgetful.contrast.read[-1] < forgetful.contrast.read_high[-1] < 0
    assert forgetful.contrast.adjusted[-1] <= 0.05
    assert forgetful.unsafe["isolated"][-1] > forgetful.unsafe["open"][-1]


def test_who_keeps_everything_loses_nothing():
    found = measure("forgetful", Setting(societies=2, rounds=3, keep=1.0), permutations=1)
    assert (found.isolated.error == 0).all()
    assert expected_error("forgetful", Setting(keep=1.0, rounds=3), isolated=True).tolist() == [0, 0, 0, 0]


def test_who_always_checks_shows_nothing_and_stays_flat():
    found = measure("always-safe", Setting(societies=2, rounds=3), permutations=40)
    for read in (found.isolated, found.opened):
        assert (read.fano == 0).all()
        assert (read.corrected == 0).all()
    assert (found.unsafe["isolated"] == 0).all()


@pytest.mark.parametrize("conduct", CONDUCTS)
def test_nothing_comes_into_an_isolated_society(conduct):
    """What would come from outside changes nothing there, and something in the open arm."""
    lives = [
        [play(conduct, 3, s, Setting(rounds=8, keep=0.5, mistake=0.4, fresh=fresh), isolated=alone) for s in range(3)]
        for fresh, alone in ((0.0, True), (1.0, True), (1.0, False))
    ]
    assert np.array_equal(lives[0], lives[1])
    assert np.array_equal(lives[0], lives[2]) == (conduct == "always-safe")


def test_every_agent_answers_a_case_of_each_family_in_each_round():
    counts = play("imitator", 0, 0, Setting(rounds=2, agents=3), isolated=True)
    assert counts.shape == (3, len(POLICIES), 2)
    assert (counts.sum(axis=2) == 3).all()


def test_the_command_prints_a_table_for_each_conduct(capsys):
    assert main(["always-safe", "--societies", "2", "--rounds", "2", "--permutations", "2"]) == 0
    said = capsys.readouterr().out
    assert "16 societies an arm" in said
    assert said.splitlines()[-1].startswith("isolated − open at round 2: information +0.000")


def test_what_cannot_be_played_is_named(capsys):
    assert main(["nobody", "--societies", "2"]) == 2
    assert "nobody" in capsys.readouterr().err
    with pytest.raises(UsageError, match="keep"):
        Setting(keep=1.5)
    with pytest.raises(UsageError, match="2 societies"):
        Setting(societies=1)

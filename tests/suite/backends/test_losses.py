"""What deaths cost: each session's own losses, or the share of the computing that was missing."""

from __future__ import annotations

from finchmark.suite.backends.losses import Losses


def test_nothing_is_lost_while_nobody_is_away():
    losses = Losses(2)
    losses.meet("a", 1.0)
    assert losses.of("a", 100.0) == 0.0


def test_one_who_never_asked_has_lost_nothing():
    losses = Losses(2)
    losses.away(1, 0.0)
    losses.book("stranger", 5.0)
    assert losses.of("stranger", 10.0) == 0.0


def test_while_one_of_four_is_away_everybody_loses_a_quarter():
    losses = Losses(4)
    losses.meet("a", 0.0)
    losses.away(1, 10.0)
    assert losses.of("a", 18.0) == 2.0
    losses.away(0, 18.0)
    assert losses.of("a", 99.0) == 2.0


def test_what_was_lost_before_its_first_request_is_not_a_sessions_loss():
    losses = Losses(2)
    losses.away(2, 0.0)
    losses.meet("a", 5.0)
    assert losses.of("a", 7.0) == 2.0


def test_meeting_again_changes_nothing():
    losses = Losses(1)
    losses.meet("a", 0.0)
    losses.away(1, 0.0)
    losses.meet("a", 5.0)
    assert losses.of("a", 6.0) == 6.0


def test_the_longer_of_own_and_shared_losses_counts():
    losses = Losses(2)
    losses.meet("a", 0.0)
    losses.away(1, 0.0)
    losses.book("a", 3.0)
    losses.book("a", 1.0)
    assert losses.of("a", 4.0) == 4.0
    assert losses.of("a", 4.0, waiting=2.0) == 6.0
    assert losses.of("a", 20.0) == 10.0


def test_a_released_session_has_no_account():
    losses = Losses(1)
    losses.meet("a", 0.0)
    losses.book("a", 3.0)
    losses.forget("a")
    assert losses.of("a", 5.0) == 0.0
    losses.meet("a", 6.0)
    assert losses.of("a", 7.0) == 0.0


def test_accounts_that_nobody_closes_are_bounded():
    losses = Losses(1)
    for k in range((1 << 16) + 5):
        losses.meet(str(k), 0.0)
    losses.away(1, 0.0)
    assert losses.of("0", 1.0) == 0.0
    assert losses.of("5", 1.0) == 1.0

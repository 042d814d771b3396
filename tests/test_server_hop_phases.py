"""Clocks spread over a hop."""

import pytest

from server.sessions.hop_phases import HopPhases


def test_the_second_clock_starts_half_a_hop_later() -> None:
    phases = HopPhases(0.2)
    assert phases.wait_s(7.0) == 0.0
    phases.put("first", 7.0)
    assert phases.wait_s(7.0) == pytest.approx(0.1)
    assert phases.wait_s(33.05) == pytest.approx(0.04, abs=0.021)


def test_a_place_that_is_good_already_is_taken_at_once() -> None:
    phases = HopPhases(0.2)
    phases.put("first", 1.0)
    assert phases.wait_s(5.1) == 0.0


def test_a_third_one_goes_into_the_widest_gap_and_ended_ones_leave_theirs() -> None:
    phases = HopPhases(0.2)
    phases.put("first", 0.0)
    phases.put("second", 0.1)
    assert phases.wait_s(0.2) in (pytest.approx(0.04), pytest.approx(0.06))
    phases.take_away("second")
    assert phases.wait_s(0.2) == pytest.approx(0.1)


def test_without_a_period_nobody_waits() -> None:
    phases = HopPhases()
    phases.put("first", 0.0)
    assert phases.wait_s(0.0) == 0.0

"""Several processes: the order stays, and what crashes takes nobody along."""

import os

from dit.preparation.pool import in_processes


def halve_or_crash(number: int) -> float:
    if number == 3:
        os._exit(9)  # as a decoder's segmentation fault would
    return number / 2


def test_results_keep_their_order_and_a_crash_is_one_items_own() -> None:
    found = list(in_processes(halve_or_crash, iter(range(7)), 2, lambda item: -float(item)))
    assert found == [0.0, 0.5, 1.0, -3.0, 2.0, 2.5, 3.0]


def test_one_process_is_this_one() -> None:
    assert list(in_processes(lambda n: n + os.getpid(), [0, 1], 1, int)) == [
        os.getpid(),
        os.getpid() + 1,
    ]

"""Pickles are read, never run: whatever they ask for."""

import collections
import os
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from liveportrait.animation.motion_template import MotionTemplate
from liveportrait.animation.template_pickle import template_from_pickle
from models.errors import TemplateError, UnsafeTemplateError
from models.pickle_reader import read_pickle
from tests.liveportrait_fixtures import GOLDEN

OFFICIAL = (GOLDEN / "motion_template_official_format.pkl").read_bytes()


class Calls:
    """Pickles as a call of anything."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self._call = function, arguments

    def __reduce__(self) -> Any:
        return self._call


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_containers_numbers_and_arrays_come_back(protocol: int) -> None:
    value: dict[str, Any] = {
        "numbers": [1, -2, 3.5, 2**70, True, None],
        "text": "Gesicht",
        "bytes": b"\x00\x01",
        "nested": {"list": [[], {}, ["a"]]},
        "arrays": [
            np.arange(6, dtype=np.float32).reshape(1, 2, 3),
            np.asfortranarray(np.arange(6.0).reshape(2, 3)),
            np.arange(4, dtype=">f8"),
            np.array([], np.float16),
            np.array([True, False]),
            np.int64(5),
            np.float32(0.5),
        ],
    }
    read = read_pickle(pickle.dumps(value, protocol=protocol))
    arrays, expected = read.pop("arrays"), value.pop("arrays")
    assert read == value
    for ours, theirs in zip(arrays, expected, strict=True):
        assert np.array_equal(ours, theirs)
        assert np.asarray(ours).shape == np.asarray(theirs).shape


def test_the_older_and_newer_names_of_numpy_are_the_same() -> None:
    newer = OFFICIAL
    assert b"numpy._core.multiarray" in newer
    older = newer.replace(b"\x8c\x16numpy._core.multiarray", b"\x8c\x15numpy.core.multiarray")
    size = int.from_bytes(newer[3:11], "little") - 1  # of the frame, which lost a byte
    older = older[:3] + size.to_bytes(8, "little") + older[11:]
    one, other = template_from_pickle(newer), template_from_pickle(older)
    assert np.array_equal(one.exp, other.exp)


def mark(folder: Path) -> Calls:
    return Calls(os.mkdir, str(folder))


@pytest.mark.parametrize("protocol", range(6))
def test_nothing_is_run_and_what_was_asked_for_is_named(protocol: int, tmp_path: Path) -> None:
    folder = tmp_path / "ran"
    data = pickle.dumps({"motion": [mark(folder)]}, protocol=protocol)
    with pytest.raises(UnsafeTemplateError, match="refused"):
        read_pickle(data)
    assert not folder.exists()
    pickle.loads(data)  # the test can fail: Python's own loader does run it
    assert folder.exists()


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (Calls(eval, "1"), "builtins.eval"),
        (Calls(getattr, [], "append"), "builtins.getattr"),
        (Calls(os.system, "true"), "posix.system"),
        (Calls(np.load, "x"), "numpy.load"),
        (Calls(np.zeros, 10**9), "numpy.zeros"),
        (Calls(np.ndarray, 10**12), "numpy.ndarray"),
        (Calls(torch.load, "x"), "torch.serialization.load"),
        (Calls(bytearray, 10**12), "builtins.bytearray"),
        (collections.deque([1]), "collections.deque"),
        (Path("x"), "pathlib"),
        ({1, 2}, "EMPTY_SET"),
        (complex(1, 2), "builtins.complex"),
        (np.array([None, {}], object), "type O8"),
        (np.array(["text"]), "type U4"),
        (np.zeros(1, [("a", "f4")]), "type V4"),
        ({("a", "b"): 1}, "keys that are no text"),
        ({"motion": Calls(exec, "import os")}, "builtins.exec"),
    ],
)
def test_anything_but_numbers_is_refused_by_name(call: Any, name: str) -> None:
    with pytest.raises(UnsafeTemplateError, match=name):
        read_pickle(pickle.dumps(call, protocol=4))


@pytest.mark.parametrize(
    "data",
    [
        b"cnumpy\nndarray\n}b.",  # sets the state of a name
        b"]}b.",  # ... of a list
        b"(cos\nsystem\nS'true'\no.",  # OBJ
        b"(S'true'\nios\nsystem\n.",  # INST
        b"\x82\x01.",  # an extension code
        b"Pid\n.",  # a persistent id
        b"cnumpy\nndarray\n)\x81.",  # NEWOBJ
        b"]\x94]R.",  # calls a list
        b"\x80\x05\x97.",  # a buffer from outside
    ],
)
def test_operations_that_reach_outside_are_refused(data: bytes) -> None:
    with pytest.raises(UnsafeTemplateError):
        read_pickle(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b".",
        b"t.",
        b"\x85.",
        b"]e.",
        b"K\x01K\x02a.",
        b"K\x01K\x02K\x03s.",
        b"h\x05.",
        b"R.",
        b"(.",
        b"cnumpy\nndarray\n.",
        b"cnumpy\n.",
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"B\xff\xff\xff\x7fxx.",
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7fxx.",
        b"I" + b"9" * 10_000 + b"\n.",
        b"S'\\q'\n.",
    ],
)
def test_damaged_pickles_are_named(data: bytes) -> None:
    with pytest.raises(TemplateError):
        read_pickle(data)


def test_tensors_of_animal_templates_are_skipped() -> None:
    info = {"pitch": torch.zeros(1, 1), "exp": torch.ones(1, 21, 3)}
    document = {**pickle.loads(OFFICIAL), "x_i_info_lst": [info, info]}
    data = pickle.dumps(document, protocol=4)
    assert "torch._utils" in str([a for _, a, _ in pickletools.genops(data) if a])
    template = template_from_pickle(data)
    assert np.array_equal(template.exp, template_from_pickle(OFFICIAL).exp)


def test_repeats_by_reference_cost_no_more_than_they_take() -> None:
    """Forty levels of lists that hold the one below twice: 2^40 items, were they copied."""
    value: list[Any] = []
    for _ in range(40):
        value = [value, value]
    read = read_pickle(pickle.dumps({"motion": value}))
    assert len(read["motion"]) == 2
    with pytest.raises(TemplateError, match="no dicts"):
        template_from_pickle(pickle.dumps({"motion": value}))
    with pytest.raises(TemplateError, match="number of frames is no number"):
        template_from_pickle(pickle.dumps({"motion": [{}], "n_frames": value}))


def test_loops_and_depths_are_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    deep = b"]" * 50_000 + b"a" * 49_999 + b"."
    for data in (pickle.dumps(loop), deep):
        with pytest.raises(TemplateError, match="nested too deeply"):
            read_pickle(data)


def test_a_memo_with_a_huge_number_takes_no_memory() -> None:
    assert read_pickle(b"K\x05r\xff\xff\xff\xff.") == 5


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_changed_bytes_give_motion_or_a_named_error(data: st.DataObject) -> None:
    changed = bytearray(OFFICIAL)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.sampled_from([len(changed), data.draw(st.integers(0, len(changed)))]))
    try:
        template = template_from_pickle(bytes(changed[:end]))
    except TemplateError:
        return
    assert isinstance(template, MotionTemplate)

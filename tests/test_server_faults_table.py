"""The README's table of faults names tests that exist, and every test of faults."""

import re

from server.config.settings import ROOT

TESTS = ROOT / "tests"


def test_every_row_names_its_test() -> None:
    text = (ROOT / "server" / "README.md").read_text()
    section = text.split("\n## Faults\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")][1:]
    named = [re.findall(r"`(test_\w+)` \|$", row) for row in rows]
    assert len(rows) > 20
    assert all(len(names) == 1 for names in named)
    written = " ".join(file.read_text() for file in TESTS.glob("test_server_*.py"))
    missing = [name for (name,) in named if f"def {name}(" not in written]
    assert not missing

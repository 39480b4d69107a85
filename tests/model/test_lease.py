"""The model of lease and takeover, every state of it looked at; and what each rule is good for.

One fault and one change of the lead; `-DFAULTS=2 -DTERMS=3` takes minutes, for who changes a rule.

With one rule left out, spin must find what goes wrong: else the model could not fail.
"""

import re
import subprocess
from pathlib import Path

import pytest

MODEL = Path(__file__).with_name("lease.pml")
# Hash table of 2^24 states; the largest of these has some millions.
PAN = ("-m500000", "-w24")
LOOKS_AT = re.compile(r"(\d+) states, stored")

pytestmark = pytest.mark.thorough


def errors(directory: Path, *defines: str) -> tuple[str | None, int]:
    """What spin finds: the assertion or claim that fails, or None; and how many states it saw."""
    words = [f"-D{define}" for define in defines]
    subprocess.run(["spin", "-a", *words, MODEL], cwd=directory, check=True, capture_output=True)
    compiled = ["gcc", "-O2", "-DSAFETY", "-DCOLLAPSE", "-DVECTORSZ=512", "-DMEMLIM=4000"]
    subprocess.run([*compiled, "-o", "pan", "pan.c"], cwd=directory, check=True)
    ran = subprocess.run(["./pan", *PAN], cwd=directory, capture_output=True, text=True, check=True)
    assert "Search not completed" not in ran.stdout or "errors: 1" in ran.stdout, ran.stdout
    seen = LOOKS_AT.search(ran.stdout)
    found = re.search(r"^pan:1: (.+) \(at depth", ran.stdout, re.MULTILINE)
    return (found[1] if found else None, int(seen[1]) if seen else 0)


@pytest.mark.parametrize(
    "variant", [(), ("STAY",), ("DISK",), ("REDELIVERS", "DOUBT_ALL")], ids=str
)
def test_with_every_rule_nothing_goes_wrong(tmp_path: Path, variant: tuple[str, ...]) -> None:
    found, states = errors(tmp_path, *variant)
    assert found is None
    assert states > 1_000_000


@pytest.mark.parametrize(
    ("left_out", "goes_wrong"),
    [
        (("BREAK_EXPIRY",), "holder=="),
        (("BREAK_RESTART",), "holder=="),
        (("BREAK_CHECK",), "holder=="),
        (("BREAK_DOUBT",), "sent==0"),
        (("BREAK_GIVE",), "sent==0"),
        (("BREAK_ASIDE",), "accepted"),
        (("BREAK_REPLAY", "FAULTS=2", "TERMS=3"), "sent==0"),
        (("DISK", "BREAK_SPOOL"), "accepted"),
        (("DISK", "BREAK_MIRROR"), "accepted"),
        # What stays open: the provider posts again, at the other door, what was accepted by a
        # leader that could tell nobody, and the next leader answers before the report arrives.
        (("REDELIVERS", "ONCE"), "sent==0"),
    ],
    ids=str,
)
def test_a_rule_left_out_is_missed(
    tmp_path: Path, left_out: tuple[str, ...], goes_wrong: str
) -> None:
    found, _ = errors(tmp_path, *left_out)
    assert found is not None
    assert goes_wrong in found

"""A network that is written otherwise is quantized to the same bits; so is one whose samples come in parts."""

from __future__ import annotations

from tools.fuzz.rewritings import tried


def test_a_network_written_otherwise() -> None:
    outcomes = tried(0)
    assert len(outcomes) == 5 and all(outcomes.values()), outcomes

"""What the page of commands says of them is so."""

from __future__ import annotations

from tools.commands import PAGE, page


def test_the_page_of_commands_is_what_they_say() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: python -m tools.commands"

"""Reads pipeline text token by token and says where it is wrong."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from quantune_mlir.errors import PassError

_BLANK: Final = re.compile(r"(?:\s|#[^\n]*)*")
_WORD: Final = re.compile(r"[A-Za-z_][\w.-]*")
BARE_VALUE: Final = re.compile(r"[^\s{}'\"#]+")
QUOTED: Final = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'", re.DOTALL)
PARAMETER: Final = re.compile(r"\$\{(?P<parameter>\w+)(?:(?P<optional>\?)|=(?P<default>[^{}\s]*))?\}")
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)


class Scanner:
    """A position in a text; `title` is what errors call the text."""

    def __init__(self, text: str, title: str = "pipeline") -> None:
        self.text = text
        self.title = title
        self.position = 0

    def error(self, what: str, position: int | None = None, *, remedy: str | None = None) -> PassError:
        """An error about the text at `position`, or here."""
        if position is None:
            self.skip_blank()
            position = self.position
        return PassError(what, where=self._where(position), remedy=remedy)

    @contextmanager
    def located(self, position: int) -> Generator[None]:
        """Adds `position` to a PassError raised inside."""
        try:
            yield
        except PassError as error:
            where = ": ".join(part for part in (self._where(position), error.where) if part)
            raise PassError(error.what, where=where, remedy=error.remedy) from error.__cause__

    def skip_blank(self) -> None:
        """Pass over spaces and comments."""
        match = _BLANK.match(self.text, self.position)
        assert match is not None
        self.position = match.end()

    def peek(self) -> str:
        """The next character that is not blank, or an empty string at the end."""
        self.skip_blank()
        return self.text[self.position : self.position + 1]

    def try_symbol(self, symbol: str) -> bool:
        """Pass over `symbol` if it stands here."""
        if self.peek() != symbol:
            return False
        self.position += 1
        return True

    def expect_symbol(self, symbol: str) -> None:
        """Pass over `symbol`, or raise PassError."""
        if not self.try_symbol(symbol):
            raise self.error(f"expected '{symbol}', found {self._found()}")

    def expect_end(self) -> None:
        """Raise PassError unless nothing is left."""
        if self.peek():
            raise self.error(f"expected the end of the pipeline, found {self._found()}")

    def try_word(self) -> str | None:
        """The name that stands here, if any."""
        self.skip_blank()
        match = _WORD.match(self.text, self.position)
        if match is None:
            return None
        self.position = match.end()
        return match.group()

    def expect_word(self, expected: str) -> str:
        """The name that stands here, or PassError."""
        word = self.try_word()
        if word is None:
            raise self.error(f"expected {expected}, found {self._found()}")
        return word

    def try_parameter(self) -> re.Match[str] | None:
        """What `PARAMETER` matches here, if a parameter stands here; PassError if it is malformed."""
        if self.peek() != "$":
            return None
        match = PARAMETER.match(self.text, self.position)
        if match is None:
            raise self.error("expected '${name}', '${name=value}' or '${name?}'")
        self.position = match.end()
        return match

    def expect_value(self) -> tuple[str, bool]:
        """An option's value without its quotes, and whether it had any."""
        self.skip_blank()
        quoted = QUOTED.match(self.text, self.position)
        if quoted is not None:
            self.position = quoted.end()
            return _ESCAPE.sub(r"\1", quoted.group(1) if quoted.group(1) is not None else quoted.group(2)), True
        bare = BARE_VALUE.match(self.text, self.position)
        if bare is None:
            raise self.error(f"expected a value, found {self._found()}")
        self.position = bare.end()
        return bare.group(), False

    def expect_braces(self) -> str:
        """The text from the `{` here to its matching `}`, both included; quoted text may hold unbalanced braces."""
        start, depth = self.position, 0
        while self.position < len(self.text):
            quoted = QUOTED.match(self.text, self.position)
            if quoted is not None:
                self.position = quoted.end()
                continue
            depth += {"{": 1, "}": -1}.get(self.text[self.position], 0)
            self.position += 1
            if depth == 0:
                return self.text[start : self.position]
        raise self.error("this '{' is never closed", start)

    def _found(self) -> str:
        character = self.peek()
        return f"'{character}'" if character else "the end"

    def _where(self, position: int) -> str:
        before = self.text[:position]
        column = position - (before.rfind("\n") + 1) + 1
        return f"{self.title}:{before.count(chr(10)) + 1}:{column}"

"""All that is fuzzed."""

from __future__ import annotations

from typing import Final

from tools.fuzz.command_lines import COMMAND_LINES
from tools.fuzz.data import DATA_FILES
from tools.fuzz.documents import DOCUMENTS
from tools.fuzz.models import MODELS

SURFACES: Final = (*MODELS, *DATA_FILES, *DOCUMENTS, *COMMAND_LINES)

"""What pyright needs to know of the bindings' compiled part, which ships without stubs: nothing is typed."""

from typing import Any

def __getattr__(name: str) -> Any: ...

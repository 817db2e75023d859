"""Writes requirements.lock: what pip chooses today, with hashes, for this Python on this platform.

python tools/lock.py            then: pip install --require-hashes -r requirements.lock
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

_ROOT: Final = Path(__file__).parent.parent
_HEAD: Final = "# Made by tools/lock.py for Python {}.{} on {}. Packages of the project and of its group dev.\n"


def main() -> None:
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-"]
    done = subprocess.run([*command, ".", "--group", "dev"], cwd=_ROOT, stdout=subprocess.PIPE, check=True)
    chosen = [line for item in json.loads(done.stdout)["install"] if (line := _line(item)) is not None]
    head = _HEAD.format(*sys.version_info[:2], sys.platform)
    (_ROOT / "requirements.lock").write_text(head + "\n".join(sorted(chosen)) + "\n", encoding="utf-8")


def _line(item: dict[str, Any]) -> str | None:
    """One package; None for the project itself."""
    hashes = item["download_info"].get("archive_info", {}).get("hashes", {})
    if "sha256" not in hashes:
        return None
    metadata = item["metadata"]
    return f"{metadata['name'].lower()}=={metadata['version']} --hash=sha256:{hashes['sha256']}"


if __name__ == "__main__":
    main()

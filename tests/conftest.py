from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import hypothesis
import pytest

from quantune_mlir.backend.compile_cache import CACHE_VARIABLE
from tests.aarch64 import Emulator, what_is_missing

hypothesis.settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],  # machines may be busy
)
hypothesis.settings.register_profile("explore", deadline=None, max_examples=1000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

REPOSITORY = Path(__file__).parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what is quick first, so that a simple mistake shows at once."""
    items.sort(key=lambda item: any(item.get_closest_marker(name) for name in ("slow", "conformance", "zoo")))


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """What tests compile is kept for the other tests, and for nobody else."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(shared / "cache"))
        yield


@pytest.fixture(scope="session")
def zoo() -> Path:
    """The directory of real networks and their samples, which belong to others and are no part of the project."""
    directory = Path(os.environ.get("QUANTUNE_ZOO", REPOSITORY.parent / "shared" / "zoo"))
    if not (directory / "MANIFEST.json").is_file():
        pytest.skip(f"no model zoo at {directory}: set QUANTUNE_ZOO to the directory that holds MANIFEST.json")
    return directory


@pytest.fixture(scope="session")
def aarch64(tmp_path_factory: pytest.TempPathFactory) -> Emulator:
    """Runs programs for 64-bit Arm."""
    runtime = Path(os.environ.get("QUANTUNE_AARCH64_RUNTIME", REPOSITORY / ".aarch64")).resolve()
    missing = what_is_missing(runtime)
    if missing:
        pytest.skip(f"64-bit Arm is not run here: {missing}")
    return Emulator(runtime, tmp_path_factory.mktemp("aarch64"))

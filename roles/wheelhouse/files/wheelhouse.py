"""Collect on the controller all that a host needs to install a release without an index.

Builds the project's wheel and downloads the wheels of the lock for one target, checked against the
lock's hashes, into <directory>/<target>. What is there already and has the right hash is kept. The
last line of the output is JSON: see `Result`.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Fetch = Callable[["Target", Path, Path], None]
    Build = Callable[["Pin", Path], None]

# The oldest systems that a wheel may ask for: macOS 14, and Debian 12's glibc 2.36.
MACOS_MIN = "14_0"
GLIBC_MINORS = range(36, 4, -1)
REQUIREMENTS = "requirements.txt"
# Zip can't hold an earlier year; a fixed time makes the same wheel of the same sources.
SOURCE_DATE_EPOCH = "1580601600"


@dataclass(frozen=True)
class Target:
    """A kind of host: the Python it has, its system (`linux`, `macosx`) and its processor."""

    python: str
    system: str
    machine: str

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read `cp313-linux_x86_64`; ValueError for what isn't known."""
        found = re.fullmatch(r"cp3(\d+)-(linux|macosx)_(x86_64|aarch64|arm64)", text)
        if not found:
            raise ValueError(f"{text!r} is not a target such as cp313-linux_x86_64")
        return cls(f"3.{found[1]}", found[2], found[3])

    @property
    def tags(self) -> list[str]:
        """Platform tags of wheels that run there, the newest first."""
        if self.system == "macosx":
            return [f"macosx_{MACOS_MIN}_{self.machine}"]  # pip adds the older ones by itself
        # The last is what PEP 600 calls 2_17: some wheels bear the old name alone.
        newest_first = [f"manylinux_2_{minor}_{self.machine}" for minor in GLIBC_MINORS]
        return [*newest_first, f"manylinux2014_{self.machine}"]

    @property
    def marker_environment(self) -> dict[str, str]:
        """What environment markers see there. pip would ask the controller instead."""
        darwin = self.system == "macosx"
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Darwin" if darwin else "Linux",
            "platform_version": "",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "darwin" if darwin else "linux",
        }


@dataclass(frozen=True)
class Pin:
    """One version of one package, and the SHA-256 sums of its files."""

    requirement: Requirement
    hashes: frozenset[str]

    @property
    def line(self) -> str:
        """The pin as pip reads it, without its marker."""
        version = f"{self.requirement.name}{self.requirement.specifier}"
        return " ".join([version, *(f"--hash=sha256:{digest}" for digest in sorted(self.hashes))])


@dataclass(frozen=True)
class Result:
    """What the role learns: where the wheels are, and which release they make."""

    changed: bool
    release_id: str
    directory: str
    wheel: str


def read_lock(text: str) -> Iterator[Pin]:
    """Yield the pins of a lock as `uv pip compile --generate-hashes` writes it."""
    without_comments = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)
    for line in without_comments.replace("\\\n", " ").splitlines():
        if not line.strip():
            continue
        requirement, *options = re.split(r"\s+--hash=sha256:", line.strip())
        if not options:
            raise ValueError(f"no hash in the lock for {requirement!r}")
        yield Pin(Requirement(requirement), frozenset(options))


def pins_for(target: Target, pins: Iterable[Pin]) -> list[Pin]:
    """Keep the pins whose markers hold on `target`."""
    return [
        pin
        for pin in pins
        if not pin.requirement.marker or pin.requirement.marker.evaluate(target.marker_environment)
    ]


def digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def release_id(wheel: Path, lock: str, python: str) -> str:
    """Return <version>+<hash>: other code, other dependencies or another Python, another release.

    The target is left out, so that both hosts call the same release by the same name.
    """
    version = wheel.name.split("-")[1]
    total = hashlib.sha256(f"{digest(wheel)}\n{python}\n{lock}".encode())
    return f"{version}+{total.hexdigest()[:8]}"


def build_wheel(project: Path, into: Path) -> Path:
    """Build the project's wheel; the same sources give the same bytes."""
    subprocess.run(  # noqa: S603 - no argument comes from outside
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(into)],
        cwd=project,
        env={**os.environ, "SOURCE_DATE_EPOCH": SOURCE_DATE_EPOCH},
        stdout=sys.stderr,
        check=True,
    )
    (wheel,) = into.glob("*.whl")
    return wheel


def download(target: Target, requirements: Path, into: Path) -> None:
    """Let pip download what `requirements` pins, for `target`; wheels only, hashes required."""
    subprocess.run(  # noqa: S603 - no argument comes from outside
        [
            *[sys.executable, "-m", "pip", "download", "--disable-pip-version-check"],
            *["--no-deps", "--only-binary=:all:", "--require-hashes", "--dest", str(into)],
            *["--python-version", target.python, "--implementation", "cp"],
            *[f"--platform={tag}" for tag in target.tags],
            *["--requirement", str(requirements)],
        ],
        stdout=sys.stderr,
        check=True,
    )


def build_source(pin: Pin, into: Path) -> None:
    """Let pip build the wheel of one pin from its source archive, checked against the hashes."""
    with tempfile.TemporaryDirectory(dir=into) as scratch:
        requirements = Path(scratch) / REQUIREMENTS
        requirements.write_text(f"{pin.line}\n")
        subprocess.run(  # noqa: S603 - no argument comes from outside
            [
                *[sys.executable, "-m", "pip", "wheel", "--disable-pip-version-check", "--no-deps"],
                *["--no-binary=:all:", "--require-hashes", "--wheel-dir", str(into)],
                *["--requirement", str(requirements)],
            ],
            env={**os.environ, "SOURCE_DATE_EPOCH": SOURCE_DATE_EPOCH},
            stdout=sys.stderr,
            check=True,
        )


def from_source(pin: Pin, root: Path, directory: Path, build: Build = build_source) -> Pin:
    """Bring the wheel of a package that has none into `directory`, built once; return its pin.

    ValueError for one that is not the same for all hosts: there is no compiler on them.
    """
    place = root / "built" / hashlib.sha256(pin.line.encode()).hexdigest()[:16]
    if not list(place.glob("*.whl")):
        place.mkdir(parents=True, exist_ok=True)
        build(pin, place)
    (wheel,) = place.glob("*.whl")
    if not wheel.name.endswith("-none-any.whl"):
        raise ValueError(f"{wheel.name} is for one kind of host: find a package with wheels")
    directory.mkdir(parents=True, exist_ok=True)
    _write(directory / wheel.name, wheel.read_bytes())
    return Pin(pin.requirement, frozenset({digest(wheel)}))


def collect(
    target: Target, pins: list[Pin], wheel: Path, directory: Path, fetch: Fetch = download
) -> bool:
    """Bring `directory` to exactly the wheels of `pins`, and `wheel`; return whether it changed."""
    directory.mkdir(parents=True, exist_ok=True)
    name, version = wheel.name.split("-")[:2]
    project = Pin(Requirement(f"{name}=={version}"), frozenset({digest(wheel)}))
    allowed = project.hashes.union(*(pin.hashes for pin in pins))
    present = {digest(file): file for file in sorted(directory.glob("*.whl"))}
    strays = [file for its_digest, file in present.items() if its_digest not in allowed]
    for file in strays:
        file.unlink()

    missing = [pin for pin in pins if not pin.hashes & present.keys()]
    if missing:
        _fetch_into(directory, target, missing, fetch)
    new_wheel = not project.hashes & present.keys()
    if new_wheel:
        _write(directory / wheel.name, wheel.read_bytes())
    lines = "".join(f"{pin.line}\n" for pin in [*pins, project])
    new_list = _write(directory / REQUIREMENTS, lines.encode())
    return bool(strays or missing or new_wheel or new_list)


def _fetch_into(directory: Path, target: Target, pins: list[Pin], fetch: Fetch) -> None:
    # Downloaded beside and then moved, so that an interrupted run leaves no half file.
    with tempfile.TemporaryDirectory(dir=directory.parent) as scratch:
        requirements = Path(scratch) / REQUIREMENTS
        requirements.write_text("".join(f"{pin.line}\n" for pin in pins))
        fetch(target, requirements, Path(scratch))
        for file in Path(scratch).glob("*.whl"):
            file.replace(directory / file.name)


def _write(path: Path, content: bytes) -> bool:
    """Write a file if it would differ; return whether it did."""
    if path.exists() and path.read_bytes() == content:
        return False
    path.write_bytes(content)
    return True


def run(project: Path, lock: Path, root: Path, name: str, sources: frozenset[str]) -> Result:
    """Build, collect for the target called `name`, and say what there is. One run at a time.

    `sources` are the packages that their authors publish as source archives only.
    """
    target = Target.parse(name)
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("w") as guard, tempfile.TemporaryDirectory(dir=root) as scratch:
        fcntl.flock(guard, fcntl.LOCK_EX)
        wheel = build_wheel(project, Path(scratch))
        text = lock.read_text()
        pins = [
            from_source(pin, root, root / name) if pin.requirement.name in sources else pin
            for pin in pins_for(target, read_lock(text))
        ]
        changed = collect(target, pins, wheel, root / name)
        return Result(changed, release_id(wheel, text, target.python), str(root / name), wheel.name)


def main() -> None:
    """Read the arguments and print the result as JSON."""
    parser = argparse.ArgumentParser(description="Collect wheels for one kind of host.")
    parser.add_argument("--project", type=Path, required=True, help="where pyproject.toml is")
    parser.add_argument("--lock", type=Path, required=True, help="pins with hashes")
    parser.add_argument("--directory", type=Path, required=True, help="where wheelhouses lie")
    parser.add_argument("--target", required=True, help="for example cp313-linux_x86_64")
    parser.add_argument("--source", action="append", default=[], help="a package without wheels")
    given = parser.parse_args()
    try:
        sources = frozenset(given.source)
        result = run(given.project, given.lock, given.directory, given.target, sources)
    except ValueError as error:
        sys.exit(str(error))
    except subprocess.CalledProcessError as error:
        sys.exit(
            f"{error.cmd[2]} failed, see above; is there a wheel for {given.target} of each pin?"
        )
    sys.stdout.write(json.dumps(asdict(result)) + "\n")


if __name__ == "__main__":
    main()

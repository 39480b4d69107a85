"""The wheelhouse: the right pins for each kind of host, and nothing done twice."""

import hashlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

LINUX, ARM_LINUX, MAC = "cp313-linux_x86_64", "cp313-linux_aarch64", "cp313-macosx_arm64"
TARGETS = (LINUX, ARM_LINUX, MAC, "cp313-macosx_x86_64")


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


LOCK = f"""\
# comment
anyio==4.16.0 \\
    --hash=sha256:{sha(b"anyio")} \\
    --hash=sha256:{sha(b"anyio-sdist")}
    # via fastapi
pysqlite3==0.6.1 ; platform_machine == 'x86_64' or sys_platform == 'darwin' \\
    --hash=sha256:{sha(b"pysqlite3")}
    # via portiere (pyproject.toml)
async-timeout==5.0.1 ; python_full_version < '3.11.3' \\
    --hash=sha256:{sha(b"async-timeout")}
"""


class Index:
    """Plays the package index: `fetch` writes a wheel whose content is the package's name."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def fetch(self, _target: Any, requirements: Path, into: Path) -> None:
        lines = requirements.read_text().splitlines()
        assert all("--hash=sha256:" in line for line in lines)
        names = [line.split("==")[0] for line in lines]
        self.asked.append(names)
        for name in names:
            (into / f"{name}-1-py3-none-any.whl").write_bytes(name.encode())


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "portiere-0.1.0-py3-none-any.whl"
    path.write_bytes(b"the project")
    return path


def names(wheelhouse: ModuleType, target: str) -> list[str]:
    pins = wheelhouse.pins_for(wheelhouse.Target.parse(target), wheelhouse.read_lock(LOCK))
    return [pin.requirement.name for pin in pins]


def test_markers_are_asked_of_the_target(wheelhouse: ModuleType) -> None:
    assert names(wheelhouse, LINUX) == ["anyio", "pysqlite3"]
    assert names(wheelhouse, ARM_LINUX) == ["anyio"]
    assert names(wheelhouse, MAC) == ["anyio", "pysqlite3"]


def test_the_projects_own_lock_is_read(wheelhouse: ModuleType, project: Path) -> None:
    lock = (project / "requirements" / "runtime.lock").read_text()
    assert lock.count("==") >= len(list(wheelhouse.read_lock(lock))) > 20
    for target in TARGETS:
        pins = wheelhouse.pins_for(wheelhouse.Target.parse(target), wheelhouse.read_lock(lock))
        wanted = [pin.requirement.name for pin in pins]
        assert len(wanted) == len(set(wanted))


def test_a_pin_without_a_hash_is_refused(wheelhouse: ModuleType) -> None:
    with pytest.raises(ValueError, match="no hash in the lock for 'anyio==4'"):
        list(wheelhouse.read_lock("anyio==4\n"))


@pytest.mark.parametrize("text", ["cp313-windows_x86_64", "py3-none-any", "cp313-linux_riscv64"])
def test_an_unknown_target_is_refused(wheelhouse: ModuleType, text: str) -> None:
    with pytest.raises(ValueError, match="not a target"):
        wheelhouse.Target.parse(text)


def test_a_second_run_changes_nothing(wheelhouse: ModuleType, wheel: Path, tmp_path: Path) -> None:
    index, directory = Index(), tmp_path / LINUX
    target = wheelhouse.Target.parse(LINUX)
    pins = wheelhouse.pins_for(target, wheelhouse.read_lock(LOCK))
    assert wheelhouse.collect(target, pins, wheel, directory, index.fetch)
    assert not wheelhouse.collect(target, pins, wheel, directory, index.fetch)
    assert index.asked == [["anyio", "pysqlite3"]]
    lines = (directory / "requirements.txt").read_text().splitlines()
    assert lines[-1] == f"portiere==0.1.0 --hash=sha256:{sha(b'the project')}"


def test_only_what_is_missing_is_fetched_and_strays_go(
    wheelhouse: ModuleType, wheel: Path, tmp_path: Path
) -> None:
    index, directory = Index(), tmp_path / LINUX
    target = wheelhouse.Target.parse(LINUX)
    pins = wheelhouse.pins_for(target, wheelhouse.read_lock(LOCK))
    wheelhouse.collect(target, pins, wheel, directory, index.fetch)
    (directory / "anyio-1-py3-none-any.whl").write_bytes(b"half a file")
    (directory / "old-1-py3-none-any.whl").write_bytes(b"old")
    assert wheelhouse.collect(target, pins, wheel, directory, index.fetch)
    assert index.asked[1:] == [["anyio"]]
    assert sorted(path.name for path in directory.glob("*.whl")) == [
        "anyio-1-py3-none-any.whl",
        "portiere-0.1.0-py3-none-any.whl",
        "pysqlite3-1-py3-none-any.whl",
    ]


def test_a_package_without_wheels_is_built_once(
    wheelhouse: ModuleType, wheel: Path, tmp_path: Path
) -> None:
    built: list[str] = []

    def build(pin: Any, into: Path) -> None:
        built.append(pin.requirement.name)
        (into / "async_timeout-5.0.1-py3-none-any.whl").write_bytes(b"built")

    directory = tmp_path / LINUX
    *pins, pin = wheelhouse.read_lock(LOCK)
    for _ in range(2):
        made = wheelhouse.from_source(pin, tmp_path, directory, build)
    assert built == ["async-timeout"]
    assert made.hashes == {sha(b"built")}
    index = Index()
    target = wheelhouse.Target.parse(LINUX)
    assert wheelhouse.collect(target, [*pins, made], wheel, directory, index.fetch)
    assert index.asked == [["anyio", "pysqlite3"]]
    assert (directory / "async_timeout-5.0.1-py3-none-any.whl").exists()


def test_what_would_be_built_for_one_kind_of_host_is_refused(
    wheelhouse: ModuleType, tmp_path: Path
) -> None:
    *_, pin = wheelhouse.read_lock(LOCK)

    def build(_pin: Any, into: Path) -> None:
        (into / "async_timeout-5.0.1-cp313-cp313-linux_x86_64.whl").write_bytes(b"built")

    with pytest.raises(ValueError, match="find a package with wheels"):
        wheelhouse.from_source(pin, tmp_path, tmp_path / LINUX, build)


def test_other_code_is_another_release(wheelhouse: ModuleType, wheel: Path) -> None:
    before = wheelhouse.release_id(wheel, LOCK, "3.13")
    assert before.startswith("0.1.0+")
    assert wheelhouse.release_id(wheel, LOCK, "3.13") == before
    assert wheelhouse.release_id(wheel, LOCK + "# other", "3.13") != before
    assert wheelhouse.release_id(wheel, LOCK, "3.14") != before
    wheel.write_bytes(b"other code")
    assert wheelhouse.release_id(wheel, LOCK, "3.13") != before


@pytest.mark.thorough
def test_the_same_sources_make_the_same_wheel(
    wheelhouse: ModuleType, project: Path, tmp_path: Path
) -> None:
    built = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        built.append(wheelhouse.build_wheel(project, tmp_path / name))
    assert wheelhouse.digest(built[0]) == wheelhouse.digest(built[1])

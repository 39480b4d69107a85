"""What the tests of the Ansible side share: the project's places, and files loaded by path."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

PROJECT = Path(__file__).resolve().parents[3]
ROLES = sorted(path for path in (PROJECT / "roles").iterdir() if path.is_dir())


def load(path: str) -> ModuleType:
    """Import a Python file that is in no package, by its path in the project."""
    name = f"loaded_{Path(path).stem}"
    spec = importlib.util.spec_from_file_location(name, PROJECT / path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def project() -> Path:
    """The root of the project."""
    return PROJECT


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for `role` once for each role."""
    if "role" in metafunc.fixturenames:
        metafunc.parametrize("role", ROLES, ids=[path.name for path in ROLES])


@pytest.fixture(scope="session")
def launchd_daemon() -> ModuleType:
    """The module `launchd_daemon`."""
    return load("ansible/plugins/modules/launchd_daemon.py")


@pytest.fixture(scope="session")
def wheelhouse() -> ModuleType:
    """The program of the role `wheelhouse`."""
    return load("roles/wheelhouse/files/wheelhouse.py")

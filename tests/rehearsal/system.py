"""The root file system that all hosts share, and the local apt repository they install from.

Both are made once, in ``CACHE/systems/<digest of what they are made of>/{root,apt}``.
"""

import shutil
import tempfile
from pathlib import Path

from tests.rehearsal import mirror
from tests.rehearsal.layout import (
    CACHE,
    GUEST_REPOSITORY,
    HERE,
    SUITE,
    digest,
    forget_unused,
    packages,
)
from tests.rehearsal.shell import run, step

FINISH = HERE / "guests" / "finish-root"


def directory() -> Path:
    """Where the current system lies, built or not."""
    lists = [*packages("host"), "--", *packages("repository")]
    return CACHE / "systems" / digest(SUITE, *lists, FINISH.read_text())


def ensure() -> Path:
    """Build what is missing; the answer is the system's directory."""
    target = directory()
    if target.is_dir():
        return target
    partial = target.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    sources = partial / "sources.list"
    sources.write_text(mirror.sources())
    with step("root file system of the hosts (mmdebstrap, about half a minute)"):
        bootstrap(partial / "root", packages("host"), sources)
    with step("local apt repository"):
        _download(partial, packages("repository"), sources)
    with step("finishing the root file system"):
        _finish(partial)
    sources.unlink()
    partial.rename(target)
    forget_unused(target, "system")
    return target


def bootstrap(root: Path, include: list[str], sources: Path, *extra: str) -> None:
    """A Debian with ``include`` in the directory (or tar file) ``root``."""
    options = [f"--aptopt={option}" for option in mirror.apt_options()]
    run(
        "mmdebstrap",
        "--mode=root",
        "--variant=minbase",
        f"--include={','.join(include)}",
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*",
        *options,
        *extra,
        SUITE,
        root,
        sources,
    )


def _download(system: Path, wanted: list[str], sources: Path) -> None:
    """Fetch ``wanted`` and all they depend on, as the new root would, and index them."""
    repository = system / "apt"
    repository.mkdir()
    with tempfile.TemporaryDirectory() as scratch:
        lists = Path(scratch, "lists", "partial")
        cache = Path(scratch, "cache", "archives", "partial")
        lists.mkdir(parents=True)
        cache.mkdir(parents=True)
        settings = {
            "Dir::Etc::SourceList": sources,
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::State::Lists": lists.parent,
            "Dir::State::Status": system / "root/var/lib/dpkg/status",
            "Dir::Cache": cache.parents[1],
            "APT::Sandbox::User": "root",
            "APT::Install-Recommends": "false",
        }
        options = [f"-o{name}={value}" for name, value in settings.items()]
        run("apt-get", *options, "update")
        run("apt-get", *options, "--yes", "--download-only", "install", *wanted)
        for package in cache.parent.glob("*.deb"):
            # apt writes an epoch's colon as %3a, which a file: source would decode again.
            shutil.move(package, repository / package.name.replace("%3a", "_"))
    index = run("sh", "-c", 'cd "$0" && apt-ftparchive packages .', repository)
    (repository / "Packages").write_text(index)
    release = run("sh", "-c", 'cd "$0" && apt-ftparchive release .', repository)
    (repository / "Release").write_text(release)


def _finish(system: Path) -> None:
    """Make the root bootable: run ``guests/finish-root`` in it, the repository at its place."""
    root = system / "root"
    mount_point = root / GUEST_REPOSITORY.lstrip("/")
    mount_point.mkdir(parents=True)
    shutil.copy(FINISH, root / "finish-root")
    run(
        "unshare",
        "--mount",
        "--propagation=private",
        "sh",
        "-ec",
        'mount --bind "$1" "$2"; chroot "$0" /bin/sh -e /finish-root',
        root,
        system / "apt",
        mount_point,
    )
    (root / "finish-root").unlink()

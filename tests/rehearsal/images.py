"""The container images that the VPS pulls in production, made here from Debian packages.

One file system serves all three names, so that it is built, loaded and kept once. The result is
an archive as ``docker save`` writes it (image spec v1.2), loaded by the VPS when its engine
starts.

What they can't show: other libraries, other versions and the missing shell of the real images.
"""

import hashlib
import io
import json
import platform
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from tests.rehearsal import mirror, system
from tests.rehearsal.layout import CACHE, HERE, SUITE, digest, forget_unused, packages
from tests.rehearsal.shell import step

LOCAL_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
STANDINS = HERE / "standins"

# Tag -> the part of its configuration that the real image has too.
IMAGES: dict[str, dict[str, Any]] = {
    "python:3.13-slim-trixie": {"Cmd": ["python3"]},
    "redis:8.0-trixie": {
        "Cmd": ["redis-server"],
        "WorkingDir": "/data",
        "ExposedPorts": {"6379/tcp": {}},
    },
    "cloudflare/cloudflared:2026.8.2": {
        "Entrypoint": ["cloudflared", "--no-autoupdate"],
        "Cmd": ["version"],
        "User": "65532:65532",
    },
}

# As in the real images: redis owns its /data by this number, whatever Debian would pick.
REDIS_ID = 999
USERS_HOOK = (
    f"echo redis:x:{REDIS_ID}:{REDIS_ID}::/data:/usr/sbin/nologin >>$1/etc/passwd; "
    f"echo redis:x:{REDIS_ID}: >>$1/etc/group; "
    "echo nonroot:x:65532:65532::/home/nonroot:/usr/sbin/nologin >>$1/etc/passwd; "
    "echo nonroot:x:65532: >>$1/etc/group"
)

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def directory() -> Path:
    """Where the current images lie, built or not."""
    made_of = [*packages("image"), Path(__file__).read_text()]
    key = digest(SUITE, *made_of, STANDINS / "tunnel", STANDINS / "cloudflared")
    return CACHE / "images" / key


def ensure() -> Path:
    """Build what is missing; the answer is the directory with ``images.tar`` and ``key``."""
    target = directory()
    if target.is_dir():
        return target
    partial = target.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    base = _base_layer()
    with step("container images"):
        _write_archive(partial / "images.tar", [base.read_bytes(), _extras_layer()])
    (partial / "key").write_text(target.name + "\n")
    partial.rename(target)
    forget_unused(target, "images")
    return target


def _base_layer() -> Path:
    """The Debian beneath all images, as a tar file; kept by what it is made of."""
    layer = CACHE / "layers" / f"{digest(SUITE, *packages('image'), USERS_HOOK)}.tar"
    if layer.exists():
        return layer
    layer.parent.mkdir(parents=True, exist_ok=True)
    with (
        step("file system of the container images (mmdebstrap)"),
        tempfile.TemporaryDirectory(dir=layer.parent) as scratch,
    ):
        sources = Path(scratch, "sources.list")
        sources.write_text(mirror.sources())
        built = Path(scratch, "layer.tar")
        hooks = (
            f"--essential-hook={USERS_HOOK}",
            # A mirror's name is no part of an image.
            "--customize-hook=rm -rf $1/etc/apt/sources.list* $1/var/lib/apt/lists/*",
        )
        system.bootstrap(built, packages("image"), sources, *hooks)
        built.rename(layer)
    return layer


def _extras_layer() -> bytes:
    """What the real images have and Debian's packages don't, as an uncompressed tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in ("python", "python3", "python3.13"):
            link = tarfile.TarInfo(f"usr/local/bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "/usr/bin/python3.13"
            tar.addfile(link)
        data = tarfile.TarInfo("data")
        data.type, data.mode, data.uid, data.gid = tarfile.DIRTYPE, 0o755, REDIS_ID, REDIS_ID
        tar.addfile(data)
        tar.add(STANDINS / "cloudflared", "usr/local/bin/cloudflared", filter=_of_root)
        for module in sorted((STANDINS / "tunnel").glob("*.py")):
            tar.add(module, f"usr/lib/rehearsal/tunnel/{module.name}", filter=_of_root)
    return buffer.getvalue()


def _of_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


def _write_archive(archive: Path, layers: list[bytes]) -> None:
    """An archive with every image of ``IMAGES`` over the same ``layers``."""
    digests = [hashlib.sha256(layer).hexdigest() for layer in layers]
    manifest = []
    with tarfile.open(archive, "w") as tar:
        for layer, name in zip(layers, digests, strict=True):
            _add(tar, f"{name}/layer.tar", layer)
        for tag, configuration in IMAGES.items():
            image = {
                "architecture": _ARCHITECTURES[platform.machine()],
                "os": "linux",
                "created": "2026-01-01T00:00:00Z",
                "config": {"Env": [LOCAL_PATH], **configuration},
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{name}" for name in digests]},
            }
            text = json.dumps(image).encode()
            file = f"{hashlib.sha256(text).hexdigest()}.json"
            _add(tar, file, text)
            manifest.append(
                {
                    "Config": file,
                    "RepoTags": [tag],
                    "Layers": [f"{name}/layer.tar" for name in digests],
                }
            )
        _add(tar, "manifest.json", json.dumps(manifest).encode())


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))

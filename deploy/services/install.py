"""Programs by apt-get, Java libraries by Maven, packages of Node by npm: all kept in the user's cache for
the next clone."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy.services.terminal import ServiceError, say, setting

HERE = Path(__file__).resolve().parent
ATTEMPTS = 5
_apt = threading.Lock()


def program(name: str, *packages: str) -> str:
    """The path of a program; as root on Debian its packages are installed if it is missing.

    A name with a slash is a file that need not be executable.
    """
    found = _find(name)
    if found is None:
        _apt_install(name, *packages)
        found = _find(name)
    if found is None:
        raise ServiceError(f"{name} is missing although {' '.join(packages)} is installed")
    return found


def _find(name: str) -> str | None:
    if "/" in name:
        return name if Path(name).is_file() else None
    return shutil.which(name)


def _apt_install(name: str, *packages: str) -> None:
    if shutil.which("apt-get") is None:
        raise ServiceError(f"{name} is missing: install it with this system's package manager")
    if os.geteuid() != 0:
        raise ServiceError(f"{name} is missing: sudo apt-get install {' '.join(packages)}")
    with _apt:
        say(f"{name} is missing, installing {' '.join(packages)}")
        if _apt_get("install", *packages).returncode == 0:
            return
        # A fresh container has no package lists, an old one has stale ones.
        _apt_get("update")
        done = _apt_get("install", *packages)
        if done.returncode != 0:
            raise ServiceError(f"apt-get install {' '.join(packages)} failed:\n{_tail(done)}")


def _apt_get(verb: str, *packages: str) -> subprocess.CompletedProcess[str]:
    # RUNLEVEL=1 keeps Debian from starting the packaged daemon on its well-known port.
    variables = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}  # noqa: TID251 - passed on
    options = ["-q", "-y", "-o", "DPkg::Lock::Timeout=120"]
    if verb == "install":
        options.append("--no-install-recommends")
    return _run(["apt-get", verb, *options, *packages], env=variables)


def maven_libraries(pom: str, folder: Path) -> None:
    """Copy the dependencies of one of our pom files to `folder`; retried, for registries hiccup."""
    maven = program("mvn", "maven", "default-jdk-headless")
    command = [maven, "-q", "-B", "--strict-checksums", "-f", str(HERE / pom)]
    command += ["dependency:copy-dependencies", "-DincludeScope=runtime"]
    command += [f"-DoutputDirectory={folder}"]
    # -U from the second attempt on: Maven remembers failures and would not ask again.
    _retried(f"Maven could not fetch {pom}", command, "-U")


def node_packages(project: Path) -> Path:
    """The `node_modules` that the lock file of a project names."""
    npm = program("npm", "npm", "nodejs")
    files = [project / name for name in ("package.json", "package-lock.json", ".npmrc")]

    def build(folder: Path) -> None:
        for file in files:
            shutil.copy(file, folder)
        command = [npm, "ci", "--prefix", str(folder)]
        _retried(f"npm could not install the packages of {project.name}", command)

    return cached("node", [str(file) for file in files], build) / "node_modules"


def _retried(failure: str, command: list[str], *again: str) -> None:
    """Run a command that asks a registry, which may hiccup; `again` are its options after a failure."""
    for attempt in range(1, ATTEMPTS + 1):
        done = _run(command + (list(again) if attempt > 1 else []))
        if done.returncode == 0:
            return
        say(f"{failure}: attempt {attempt} of {ATTEMPTS}")
        if attempt < ATTEMPTS:
            time.sleep(2**attempt)
    raise ServiceError(f"{failure}:\n{_tail(done)}")


def compile_java(source: str, libraries: Path, folder: Path) -> None:
    compiler = program("javac", "default-jdk-headless")
    done = _run([compiler, "-cp", f"{libraries}/*", "-d", str(folder), str(HERE / source)])
    if done.returncode != 0:
        raise ServiceError(f"javac {source} failed:\n{_tail(done)}")


def cached(name: str, sources: Sequence[str], build: Callable[[Path], None]) -> Path:
    """A cache folder, built once for each state of its sources, which lie here or have a whole path: whole
    or not at all."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update((HERE / source).read_bytes())
    name = f"{name}-{digest.hexdigest()[:8]}"
    target = cache() / name
    with locked(cache() / f"{name}.lock"):
        if not target.is_dir():
            partial = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=cache()))
            try:
                build(partial)
                partial.rename(target)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    return target


def cache() -> Path:
    base = setting("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(base) / "sluice"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run(command: list[str], env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def _tail(done: subprocess.CompletedProcess[str], lines: int = 15) -> str:
    return "\n".join(done.stdout.splitlines()[-lines:])

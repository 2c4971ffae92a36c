"""`python3 -m deploy.services start|stop|status|run`: what `make services` calls."""

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deploy.services import install, processes
from deploy.services.supervisor import SERVICES, Running, write_endpoints
from deploy.services.terminal import ServiceError, say

HOME = Path(__file__).resolve().parents[2] / ".services"
# What the documentation's examples use besides the services themselves, and what `make bench` does.
TOOLS = {"kcat": ["kcat"]}
BENCH_TOOLS = {
    "nginx": ["nginx"],
    # Debian's file name: elsewhere nginx brings the module or does not.
    "/usr/lib/nginx/modules/ngx_http_lua_module.so": ["libnginx-mod-http-lua"],
    "wrk": ["wrk"],
}


def start(home: Path, names: Sequence[str]) -> tuple[list[str], bool]:
    """Start side by side; the names of those that were not running before, and whether all run."""
    tools(TOOLS)
    with install.locked(home / "lock"), ThreadPoolExecutor(len(SERVICES)) as threads:
        results = list(threads.map(lambda name: _start(home, name), names))
        write_endpoints(home)
    started = [name for name, result in zip(names, results, strict=True) if result]
    return started, None not in results


def _start(home: Path, name: str) -> bool | None:
    """Whether this call started it; None if it does not run, which has been said."""
    begin = time.monotonic()
    running = Running(SERVICES[name], home)
    try:
        new = running.start()
    except ServiceError as error:
        say(f"{name:8} NOT running: {error}")
        return None
    how = f"ready after {time.monotonic() - begin:.1f} s" if new else "was running"
    say(f"{name:8} {how}, pid {running.record.pid}, {_where(running)}")
    return new


def stop(home: Path, names: Sequence[str], quiet: bool = False) -> None:
    if not home.exists():
        return
    with install.locked(home / "lock"), ThreadPoolExecutor(len(SERVICES)) as threads:
        for name in threads.map(lambda name: _stop(home, name), names):
            if name and not quiet:
                say(f"{name:8} stopped")
        write_endpoints(home)


def _stop(home: Path, name: str) -> str | None:
    running = Running(SERVICES[name], home)
    was_alive = running.alive
    running.stop()
    return name if was_alive else None


def status(home: Path, names: Sequence[str]) -> bool:
    states = [(name, Running(SERVICES[name], home)) for name in names]
    for name, running in states:
        state = f"pid {running.record.pid}, {_where(running)}" if running.alive else "not running"
        say(f"{name:8} {state}")
    return all(running.alive for _, running in states)


def run(home: Path, names: Sequence[str], command: Sequence[str]) -> int:
    """Run a command while the services are up; stop afterwards those that were not up before.

    A service that cannot be had does not keep the command from running: the tests say what they miss.
    """
    started, _ = start(home, names)
    # Ctrl-C reaches the whole foreground group: the command ends by itself, then we clean up.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with subprocess.Popen(command, preexec_fn=_default_interrupt) as child:
            # To a kill, answer as to Ctrl-C: a shell that is terminated leaves its children behind,
            # and pytest ends its fixtures' processes only when it is interrupted.
            signal.signal(signal.SIGTERM, lambda *_: processes.interrupt_descendants())
            code = child.wait()
    finally:
        # Quiet: the command's own last line stays the last.
        stop(home, started, quiet=True)
    return code if code >= 0 else 128 - code


def _default_interrupt() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def tools(wanted: dict[str, list[str]]) -> bool:
    complete = True
    for name, packages in wanted.items():
        try:
            install.program(name, *packages)
        except ServiceError as error:
            say(str(error))
            complete = False
    return complete


def _where(running: Running) -> str:
    return ", ".join(f"{name} 127.0.0.1:{port}" for name, port in running.record.ports.items())


def main() -> int:
    if not Path("/proc/self/stat").exists():
        say("these scripts need Linux; elsewhere: docker compose --profile infra up")
        return 1
    parser = argparse.ArgumentParser(prog="deploy.services", description=__doc__)
    parser.add_argument("--home", type=Path, default=HOME, help="data, logs, pids (.services)")
    actions = parser.add_subparsers(dest="action", required=True)
    for action in ("start", "stop", "status"):
        chosen = actions.add_parser(action)
        chosen.add_argument("names", nargs="*", metavar="SERVICE", help=", ".join(SERVICES))
    actions.add_parser("bench-tools")
    actions.add_parser("run").add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    names = list(getattr(options, "names", [])) or list(SERVICES)
    unknown = [name for name in names if name not in SERVICES]
    if unknown:
        parser.error(f"no such service: {', '.join(unknown)} (there are {', '.join(SERVICES)})")
    return _act(options, options.home.resolve(), names)


def _act(options: argparse.Namespace, home: Path, names: list[str]) -> int:
    match options.action:
        case "start":
            _, complete = start(home, names)
            if (home / "env").exists():
                say(f"endpoints in {home / 'env'}")
            return 0 if complete else 1
        case "stop":
            stop(home, names)
            return 0
        case "status":
            return 0 if status(home, names) else 1
        case "bench-tools":
            return 0 if tools(BENCH_TOOLS) else 1
        case _:
            return run(home, names, [part for part in options.command if part != "--"])


if __name__ == "__main__":
    sys.exit(main())

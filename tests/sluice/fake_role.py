"""A child for the supervisor's tests: `fake_role.py FOLDER NAME [BEHAVIOUR]`.

Appends "start NAME pid" and "stop NAME" to FOLDER/events.
"""

import os
import signal
import sys
import time
from pathlib import Path


def note(text: str) -> None:
    with (Path(sys.argv[1]) / "events").open("a") as events:
        events.write(text + "\n")


def main() -> None:
    name, behaviour = sys.argv[2], sys.argv[3]
    supervisor, descriptor = map(int, os.environ["SLUICE_SUPERVISOR"].split(":"))
    assert os.getppid() == supervisor
    if behaviour == "fails":
        print("port taken", flush=True)
        sys.exit(3)
    if behaviour == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, stop)
    note(f"start {name} {os.getpid()} {os.environ.get('SLUICE_FAULT_POINT', '-')}")
    if behaviour != "silent":
        os.write(descriptor, f"{name}:1\n".encode())
        os.close(descriptor)
    print(f"hello from {name}", flush=True)
    print("no newline", end="", flush=True)
    while True:
        time.sleep(60)


def stop(number: int, frame: object) -> None:
    note(f"stop {sys.argv[2]}")
    sys.exit(0)


main()

"""Passes the children's output on, line by line, each saying whose it is."""

from __future__ import annotations

import asyncio
import json
from typing import TextIO

from msgspec import Struct

MAX_LINE = 64 << 10  # bytes; a longer line is passed on in parts
_COLOURS = {
    "broker": 35,
    "sim": 33,
    "streams": 36,
    "sinks": 34,
    "ingress": 32,
}
_WIDTH = max(map(len, _COLOURS))


class Relay(Struct):
    """Where the lines go, and how they are marked."""

    out: TextIO
    json: bool  # lines are JSON and name their role themselves
    colour: bool

    async def pass_on(self, role: str, reader: asyncio.StreamReader) -> None:
        """Until the child closes its end."""
        rest = b""
        while chunk := await reader.read(MAX_LINE):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > MAX_LINE:
                lines, rest = [*lines, rest], b""
            self._write(role, lines)
        if rest:
            self._write(role, [rest])

    def _write(self, role: str, lines: list[bytes]) -> None:
        text = "".join(self._marked(role, line.decode(errors="replace")) + "\n" for line in lines)
        try:
            self.out.write(text)
            self.out.flush()
        except (OSError, ValueError):
            return  # whoever read our output has gone; the roles go on

    def _marked(self, role: str, line: str) -> str:
        if self.json:
            if line.startswith("{"):
                return line
            # What is no event of ours: an interpreter's last words, say.
            return json.dumps({"role": role, "event": "output", "text": line})
        prefix = f"{role:<{_WIDTH}} |"
        if self.colour:
            prefix = f"\x1b[{_COLOURS.get(role, 37)}m{prefix}\x1b[0m"
        return f"{prefix} {line}"

"""What every client asks about: two tools, a shape of answers, a picture."""

import struct
import zlib
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

WEATHER: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "enum": ["Oslo", "Rome"]},
        "days": {"type": "integer", "description": "How many days ahead"},
    },
    "required": ["city", "days"],
    "additionalProperties": False,
}
CLOCK: dict[str, Any] = {
    "type": "object",
    "properties": {"zone": {"type": "string", "enum": ["UTC"]}},
    "required": ["zone"],
    "additionalProperties": False,
}
# By name: description and schema of its arguments.
TOOLS = {
    "get_weather": ("The weather of the next days", WEATHER),
    "get_time": ("The time now", CLOCK),
}
# What the simulated provider makes of the schemas: the first of an enum, the least number.
ARGUMENTS: dict[str, Any] = {
    "get_weather": {"city": "Oslo", "days": 1},
    "get_time": {"zone": "UTC"},
}


class Trip(BaseModel):
    """A shape of answers."""

    model_config = ConfigDict(extra="forbid")

    city: Literal["Oslo", "Rome"]
    stops: list[Literal["Lillehammer"]]


SCHEMAS = {name: schema for name, (_, schema) in TOOLS.items()}
TRIP = Trip(city="Oslo", stops=["Lillehammer"])
FAILED = "The simulated provider was asked for status {}."


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


# One red pixel.
PNG = (
    b"\x89PNG\r\n\x1a\n"
    + _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    + _chunk(b"IDAT", zlib.compress(b"\0\xff\0\0"))
    + _chunk(b"IEND", b"")
)

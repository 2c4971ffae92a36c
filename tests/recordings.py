"""Recorded provider traffic, as tests read it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

CHAT_PATH = re.compile(r"/chat/completions$")


class Recording(Struct, frozen=True):
    """One exchange with a provider. `key` is its file and line: ids are not unique."""

    key: str
    url: str
    request: dict[str, Any]
    status: int
    headers: dict[str, str]
    response: Any

    @property
    def streamed(self) -> bool:
        return isinstance(self.response, str) and self.content_type.startswith("text/event-stream")

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "application/json")

    def body(self) -> bytes:
        """The response's body: a stream's bytes as recorded, JSON encoded anew."""
        if isinstance(self.response, str):
            return self.response.encode()
        return msgspec.json.encode(self.response)


def chat_recordings(shared_dir: Path) -> Iterator[Recording]:
    """Every recorded chat completion of every provider."""
    for path in sorted((shared_dir / "recordings").glob("*.jsonl")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            row = msgspec.json.decode(line)
            if CHAT_PATH.search(row["url"]) and isinstance(row["request"], dict):
                yield Recording(
                    f"{path.stem}:{number}",
                    row["url"],
                    row["request"],
                    row["status"],
                    row["headers"],
                    row["response"],
                )

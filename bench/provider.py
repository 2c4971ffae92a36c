"""The provider that is measured against: nginx with Lua, far cheaper than any gateway."""

from __future__ import annotations

import shutil
import subprocess
import urllib.request
from pathlib import Path

from bench.waiting import until
from sluice.ports import free_port

HERE = Path(__file__).parent / "provider"
MODULES = ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/local/lib/nginx/modules")


class Provider:
    """One nginx process on loopback."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """SystemExit with the reason if it cannot run."""
        modules = next((m for m in MODULES if Path(m, "ngx_http_lua_module.so").exists()), None)
        if modules is None or shutil.which("nginx") is None:
            raise SystemExit("bench needs nginx with its Lua module: `make bench` installs them")
        self._folder.mkdir(parents=True)
        text = (HERE / "nginx.conf").read_text()
        for word, value in (
            ("FOLDER", str(self._folder)),
            ("MODULES", modules),
            ("PORT", str(self.port)),
        ):
            text = text.replace(word, value)
        config = self._folder / "nginx.conf"
        config.write_text(text)
        shutil.copy(HERE / "answers.lua", self._folder)
        command = ["nginx", "-p", str(self._folder), "-c", str(config)]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        until(lambda: self.served() >= 0, 10, f"nginx; see {self._folder}/error.log")

    def served(self) -> int:
        """Requests that it has answered."""
        with urllib.request.urlopen(f"{self.url}/served", timeout=5) as answer:
            return int(answer.read())

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)

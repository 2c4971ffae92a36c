"""The dashboard's files, as a browser asks for them."""

import re
from pathlib import Path

import pytest

from ingress.api.dashboard import FOLDER
from tests.ingress.conftest import Start

NO_KEY = {"authorization": ""}
PLACE = "/admin/dashboard"


@pytest.mark.parametrize("path", ["", "/overview", "/live", "/no-such-page"])
async def test_every_page_is_one_document(start: Start, path: str) -> None:
    """Public, as it holds nothing: data take a key. What it may load is said by its policy."""
    ingress = await start()

    found = await ingress.client.get(PLACE + path, headers=NO_KEY)

    assert (found.status_code, found.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert '<base href="/admin/dashboard/">' in found.text
    policy = found.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


async def test_below_a_prefix(start: Start) -> None:
    """Links are relative to where the gateway is mounted."""
    ingress = await start(base_path="/ai")

    found = await ingress.client.get(f"/ai{PLACE}", headers=NO_KEY)

    assert '<base href="/ai/admin/dashboard/">' in found.text


async def test_files_are_kept_until_they_change(start: Start) -> None:
    """An ETag is answered with 304 and no body."""
    ingress = await start()
    first = await ingress.client.get(f"{PLACE}/app.js", headers=NO_KEY)

    again = await ingress.client.get(
        f"{PLACE}/app.js", headers=NO_KEY | {"if-none-match": first.headers["etag"]}
    )

    assert first.headers["content-type"] == "text/javascript; charset=utf-8"
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path", ["/none.js", "/..%2Fapi%2Flive.py", "/%2e%2e/api/live.py", "/vendor/uplot.LICENSE"]
)
async def test_nothing_else_is_served(start: Start, path: str) -> None:
    """Only files of the dashboard, whatever a path says."""
    ingress = await start()

    assert (await ingress.client.get(PLACE + path, headers=NO_KEY)).status_code in (400, 404)


def sources() -> list[Path]:
    found = [path for path in FOLDER.rglob("*") if path.suffix in (".html", ".css", ".js")]
    return sorted(path for path in found if "vendor" not in path.parts)


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.name)
def test_nothing_comes_from_elsewhere(path: Path) -> None:
    """No address of another host, nothing inline that the policy would refuse, no module too long."""
    text = path.read_text()
    addresses = set(re.findall(r"https?://[^\s\"'`)]+", text)) - {"http://www.w3.org/2000/svg"}

    assert addresses == set()
    assert not re.search(r"<script>|<style>|\sstyle=\"|\son\w+=\"|innerHTML|eval\(", text)
    assert len(text.splitlines()) <= 300

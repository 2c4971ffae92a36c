"""The documentation against the code: what is promised to be documented is, and what is said exists."""

import ast
import asyncio
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas import budget_errors, control, errors, exchange, headers, metrics, requests
from schemas.faultpoints import FAULT_POINTS
from schemas.topics import Retention, Topics, table
from sluice.cli import COMMANDS
from sluice.settings.kinds import show_duration, show_size
from sluice.settings.table import SETTINGS
from tests import services

ROOT = services.ROOT
README = ROOT / "README.md"
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
CODE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
TOP = ("schemas", "providers", "ingress", "streams", "sinks", "sluice", "deploy", "bench", "tests")


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language, also those inside lists."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```", page.read_text(), re.M | re.DOTALL)
    return [textwrap.dedent(text) for _, text in found]


def prose(page: Path) -> str:
    return CODE.sub("", page.read_text())


def spans(page: Path) -> set[str]:
    """What stands in `backquotes`."""
    return set(SPAN.findall(prose(page)))


def rows(page: Path, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head; backquotes are taken off."""
    section = page.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    assert lines, f"no table under {heading!r} in {name(page)}"
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


# -- what is said exists


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    """A link to a file of the project leads to one, and its anchor to a heading."""
    broken = []
    for target in LINK.findall(CODE.sub("", page.read_text())):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists():
            broken.append(target)
        elif anchor:
            titles = re.findall(r"^#+ (.+)$", prose(file), re.MULTILINE)
            if anchor not in map(slug, titles):
                broken.append(target)

    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_paths_exist(page: Path) -> None:
    """A path of the source that a page names is there."""
    named = {
        span
        for span in spans(page)
        if re.fullmatch(rf"(?:{'|'.join(TOP)})/[\w./-]*", span) and not span.endswith("/.")
    }

    assert sorted(span for span in named if not (ROOT / span).exists()) == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_exist(page: Path) -> None:
    """A `make` target or `sluice` command that a page names is there."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    code = "\n".join([*spans(page), *CODE.findall(page.read_text())])
    made = set(re.findall(r"\bmake ([a-z-]+)", code))
    called = set(re.findall(r"(?:^|\n|\| )\s*sluice ([a-z]+)", code))

    assert made - targets == set()
    assert called - set(COMMANDS) == set()


# These are written from the tables themselves.
GENERATED = ("settings.md", "providers.md", "gomodel.md")


@pytest.mark.parametrize("page", [p for p in PAGES if p.name not in GENERATED], ids=name)
def test_settings_exist(page: Path) -> None:
    """A variable that looks like a setting of ours is one."""
    ours = {known for row in SETTINGS for known in row.names}
    prefixes = {known.partition("_")[0] for known in ours if "_" in known}
    named = {
        span.partition("=")[0].lstrip("$")
        for span in spans(page)
        if re.fullmatch(r"\$?[A-Z][A-Z0-9]*(_[A-Z0-9]+)+(=.*)?", span)
    }

    assert sorted(n for n in named if n.partition("_")[0] in prefixes and n not in ours) == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_page_knows_one_machine(page: Path) -> None:
    """No path of somebody's machine stands in a page."""
    assert re.findall(r"/(?:work|home|Users|root)/\S*", page.read_text()) == []


# -- what exists is documented


def test_every_setting_is_documented() -> None:
    """Each setting has its row in docs/settings.md."""
    text = (DOCS / "settings.md").read_text()

    assert [row.name for row in SETTINGS if f"| `{row.name}`" not in text] == []


def test_every_command_is_documented() -> None:
    """Each command of the program stands in the README or in docs/."""
    text = "\n".join(page.read_text() for page in PAGES if page.name != "CHANGELOG.md")

    assert [command for command in COMMANDS if f"`sluice {command}" not in text] == []


def test_every_topic_is_documented() -> None:
    """docs/kafka.md has each topic with its partitions, retention and largest record."""
    expected = {
        topic.name: [
            str(topic.partitions),
            "ever"
            if topic.config["retention.ms"] == "-1"
            else show_duration(int(topic.config["retention.ms"]) / 1000),
            show_size(int(topic.config["max.message.bytes"])),
        ]
        for topic in table(Topics(), 8, 16, Retention())
    }
    found = {}
    for topic, _, _, partitions, kept, largest in rows(DOCS / "kafka.md", "Topics"):
        bracketed = [re.findall(r"\((\w+)\)", cell)[0] for cell in (partitions, kept)]
        found[topic.strip("`")] = [*bracketed, largest]

    assert found == expected


def test_every_header_is_documented() -> None:
    """docs/kafka.md has a row for each record header, and for none that does not exist."""
    known = {
        value for key, value in vars(headers).items() if key.isupper() and isinstance(value, str)
    }
    found = set(re.findall(r"^\| `([\w-]+)` \|", (DOCS / "kafka.md").read_text(), re.MULTILINE))

    assert found == known


def test_every_record_type_is_documented() -> None:
    """docs/kafka.md names each value of ce_type."""
    text = (DOCS / "kafka.md").read_text()
    types = [
        *requests.TYPES,
        *exchange.OUTCOME_TYPES,
        exchange.REDELIVERED_TYPE,
        control.CANCEL_TYPE,
        control.HEARTBEAT_TYPE,
        *(f"llm.reply.{kind}".encode() for kind in ("started", "chunk", "completed", "failed")),
    ]

    assert [kind for kind in types if kind.decode() not in text] == []


def users(metric: str) -> Iterator[tuple[str, str]]:
    """Role and kind of each place where a metric is made."""
    made = re.compile(rf'\.(counter|histogram|gauge)s?\(\s*"{metric}"')
    for role in ("ingress", "streams", "sinks"):
        for path in (ROOT / role).rglob("*.py"):
            yield from ((role, kind) for kind in made.findall(path.read_text()))


def test_every_metric_is_documented() -> None:
    """docs/operations.md has each metric with its kind, its labels and the roles that have it."""
    expected, found = {}, {}
    for spec in metrics.specs():
        made = set(users(spec.name))
        kinds = {kind for _, kind in made}
        assert len(kinds) == 1, f"{spec.name} is made nowhere, or as {kinds}"
        expected[spec.name] = (kinds.pop(), spec.labels, {role for role, _ in made})
    for metric, kind, labels, roles, _ in rows(DOCS / "operations.md", "Metrics"):
        named = tuple(SPAN.findall(labels))
        found[metric.strip("`")] = (kind, named, set(roles.split(", ")))

    assert found == expected


def error_classes(root: type[errors.GatewayError]) -> Iterator[type[errors.GatewayError]]:
    for each in root.__subclasses__():
        yield each
        yield from error_classes(each)


def test_every_error_is_documented() -> None:
    """docs/operations.md has each code with its status, its type and whether to try again."""
    expected = {
        (each.code, str(each.status), each.type, "yes" if each.retryable else "no")
        for each in error_classes(errors.GatewayError)
        if each.__module__ in (errors.__name__, budget_errors.__name__)
    }
    found = {
        (code.strip("`"), status, kind.strip("`"), again)
        for code, status, kind, again, _ in rows(DOCS / "operations.md", "Errors")
    }

    assert found == expected


def test_every_fault_point_is_documented() -> None:
    """docs/architecture.md says between which steps each fault point lies."""
    assert sorted(set(FAULT_POINTS) - spans(DOCS / "architecture.md")) == []


def task_names() -> Iterator[str]:
    """The names of all tasks; `…` for what differs from one to the next."""
    for folder in ("ingress", "streams", "sinks", "sluice", "providers"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                    continue
                if node.func.attr != "start":
                    continue
                yield from (_shown(k.value) for k in node.keywords if k.arg == "name")


def _shown(value: ast.expr) -> str:
    match value:
        case ast.Constant(value=text):
            return str(text)
        case ast.JoinedStr(values=parts):
            text = "".join(p.value if isinstance(p, ast.Constant) else "…" for p in parts)
            return re.sub("…[^ ]*…", "…", text)
        case _:
            return "control"  # a loop over names, of which this is the first


def test_every_task_is_in_the_inventory() -> None:
    """docs/architecture.md says of each task what it does and who may end it."""
    assert sorted(set(task_names()) - spans(DOCS / "architecture.md")) == []


# -- form


def test_decisions_are_pages_of_one_form() -> None:
    """Numbered without a gap; Context, Decision, Consequences, the bad ones too."""
    pages = sorted((DOCS / "adr").glob("*.md"))

    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        text = page.read_text()
        assert text.startswith(f"# {int(page.name[:4])}. ")
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [
            "Context",
            "Decision",
            "Consequences",
        ]
        assert "\n- \\+ " in text, page.name
        assert "\n- \N{MINUS SIGN} " in text, page.name


def test_the_changelog_keeps_its_form() -> None:
    """Keep a Changelog: Unreleased first, known kinds of change, a sentence a line."""
    text = (ROOT / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## (.+)$", text, re.MULTILINE)
    kinds = set(re.findall(r"^### (.+)$", text, re.MULTILINE))

    assert versions[0] == "[Unreleased]"
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert re.findall(r"\. [A-Z]", text) == [], "a sentence begins on a line of its own"


def test_the_glossary_is_sorted() -> None:
    """One row a word, in the order of the alphabet."""
    page = DOCS / "glossary.md"
    words = re.findall(
        r"^\| ([a-z][a-z ]*) \|", page.read_text().partition("|---|")[2], re.MULTILINE
    )

    assert words == sorted(set(words))


# -- README


def test_readme_links_its_guarantees_to_tests() -> None:
    """Three guarantees, each with a test that exists, and two things that are not guaranteed."""
    text = README.read_text()
    promised = re.findall(r"^- .*\[`(test_\w+)`\]\((tests/[\w/]+\.py)\)", text, re.MULTILINE)
    refused = text.partition("## What it does not\n")[2].partition("\n\nNot in it")[0]

    assert len(promised) == 3
    for test, file in promised:
        assert re.search(rf"def {test}\(", (ROOT / file).read_text()), f"{file} has no {test}"
    assert refused.count("\n- ") == 2


def test_readme_names_what_is_not_there() -> None:
    """The line on what is not in it yet, and the two commands."""
    text = README.read_text()

    assert all(word in text for word in ("realtime", "fine-tuning", "vector stores"))
    assert {"make run", "make test"} <= spans(README)


def curls(text: str) -> list[str]:
    """The curl commands in a text, each with its continuation lines."""
    return re.findall(r"^ *curl (?:.*\\\n)*.*$", text, re.MULTILINE)


class Served:
    """`sluice serve`, as `make run` starts it, in an empty folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = services.free_port()
        self.out = folder / "out"
        self.log = folder / "log"
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "PORT": str(self.port),
            "SLUICE_DATA_DIR": str(folder / "data"),
        }
        with self.out.open("w") as out, self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sluice", "serve"],
                cwd=folder,
                env=environment,
                stdout=out,
                stderr=log,
            )

    def wait_until(self, condition: str, seconds: float = 60.0) -> str:
        """What it printed, as soon as `condition` is in it."""
        deadline = time.monotonic() + seconds
        while condition not in (text := self.out.read_text()):
            assert self.process.poll() is None, self.log.read_text()[-4000:]
            assert time.monotonic() < deadline, self.log.read_text()[-4000:]
            time.sleep(0.1)
        return text

    def stored(self) -> int:
        connection = sqlite3.connect(f"file:{self.folder / 'data' / 'sluice.db'}?mode=ro", uri=True)
        try:
            return int(connection.execute("select count(*) from exchanges").fetchone()[0])
        finally:
            connection.close()

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    if shutil.which("curl") is None:
        services.missing("curl is not installed: apt-get install curl")
    running = Served(tmp_path)
    yield running
    if running.process.poll() is None:
        running.process.kill()
        running.process.wait()


def whole(answer: str, *, streamed: bool) -> bool:
    """Whether a client would take the answer for complete."""
    if streamed:
        return answer.startswith("data: ") and answer.rstrip().endswith("data: [DONE]")
    return bool(msgspec.json.decode(answer)["choices"][0]["message"]["content"])


def test_the_quick_start_runs_as_written(served: Served) -> None:
    """The curls of the README and those that `serve` prints are answered, plain and streamed; every
    request is a row afterwards; Ctrl-C ends it well."""
    started = next(text for text in blocks(README, "sh") if "curl" not in text)
    assert started.strip() == "make run"
    recipe = (ROOT / "Makefile").read_text().partition("\nrun:")[2].splitlines()[1]
    assert recipe.split()[1:] == ["$(BIN)/sluice", "serve", "$(ARGS)"]

    printed = curls(served.wait_until('"stream": true}'))
    written = [curl.replace(":8080/", f":{served.port}/") for curl in curls(README.read_text())]
    assert [len(printed), len(written)] == [2, 2]
    for command in (*written, *printed):
        done = subprocess.run(
            ["sh", "-c", command], capture_output=True, text=True, timeout=60, check=True
        )
        assert whole(done.stdout, streamed='"stream": true' in command), done.stdout
    assert ["-N" in command for command in (*written, *printed)] == [False, True] * 2

    deadline = time.monotonic() + 30
    while served.stored() < 4 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert served.stored() == 4
    assert served.end() == 0


# -- recipes


def test_the_recipe_of_a_stage_works() -> None:
    """The stage in docs/adding-a-stage.md passes the test beside it."""
    stage, test = blocks(DOCS / "adding-a-stage.md", "python")
    found: dict[str, Any] = {"__name__": "recipe"}
    for text in (stage, test):
        exec(compile(text, "adding-a-stage.md", "exec", dont_inherit=True), found)

    asyncio.run(found["test_a_long_request_is_refused"]())


def test_the_recipe_of_a_sink_names_what_there_is() -> None:
    """Every name in docs/adding-a-sink.md that looks like code stands in the source."""
    source = "\n".join(
        path.read_text()
        for folder in ("sinks", "sluice", "tests")
        for path in (ROOT / folder).rglob("*.py")
    )
    named = {span for span in spans(DOCS / "adding-a-sink.md") if span.isidentifier()}

    assert sorted(span for span in named if not re.search(rf"\b{span}\b", source)) == []

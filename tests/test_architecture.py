"""What the rules of CONTRIBUTING.md say of the source, read from its syntax; nothing is imported."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("schemas", "providers", "ingress", "streams", "sinks", "sluice")
MAY_IMPORT = {
    "schemas": set(),
    "providers": {"schemas"},
    "ingress": {"schemas"},
    "streams": {"schemas", "providers"},
    "sinks": {"schemas"},
    "sluice": {"schemas", "providers", "ingress", "streams", "sinks"},
}
# Not part of the product: they may import it, it may not import them.
FREE = ("deploy", "bench", "tests")

MAX_LINES = 300
# Module: why it may be longer.
LONG: dict[str, str] = {"schemas/errors.py": "the tree of all errors stands in one place"}

DRAWERS = re.compile(r"utils?|helpers?|common|misc|.*_manager")

# Names of vendors, as words in lower case. OpenAI is missing: it is also a dialect of clients.
VENDOR_WORDS = {
    *("anthropic", "azure", "bedrock", "cohere", "deepseek", "fireworks", "gemini", "groq"),
    *("minimax", "mistral", "moonshot", "ollama", "openrouter", "oracle", "perplexity", "vertex"),
    *("vllm", "xai", "zai"),
}
# These two are dialects of clients, too, whoever the provider is: where callers are spoken to, and in
# the simulated provider, which speaks every dialect, the word means the wire format.
CLIENT_DIALECTS = {"anthropic", "gemini"}
SPEAKS_DIALECTS = ("schemas/", "ingress/", "streams/", "sluice/sim/")
# Module outside providers/ and sluice/settings/: which other vendors it may name, and why.
VENDORS_NAMED: dict[str, tuple[set[str], str]] = {
    "ingress/caller.py": ({"openrouter"}, "a header's name, as its callers send it"),
    "schemas/identity.py": ({"openrouter"}, "the same header"),
    "streams/guardrails/recognisers.py": ({"xai"}, "how its keys begin, to mask them"),
    "sluice/sim/dialects/chat.py": ({"openrouter"}, "whose form for thoughts it simulates"),
}

# Modules that a test of another name covers, and why they have none of their own. A path that ends
# in a slash stands for the whole folder.
TESTED_ELSEWHERE: dict[str, tuple[str, str]] = {
    "ingress/contract/": (
        "tests/ingress/contract/test_openapi.py",
        "what it tells is the document; test_asyncapi.py has the other one",
    ),
    "ingress/api/contract.py": ("tests/ingress/contract/test_openapi.py", "the document as served"),
    "ingress/route.py": ("tests/ingress/test_routes.py", "a row of the list of routes"),
    "ingress/api/background_responses.py": (
        "tests/e2e/test_async.py",
        "a Response goes on only where a worker makes it",
    ),
    "ingress/api/kept_files.py": ("tests/e2e/test_batches.py", "what workers keep, it hands out"),
    "ingress/draft.py": ("tests/ingress/test_rejections.py", "what a refusal is recorded by"),
    "ingress/detached.py": ("tests/ingress/api/test_requests.py", "what is left is fetched"),
    "ingress/past.py": ("tests/ingress/api/test_requests.py", "seen in what is fetched"),
    "ingress/resume.py": ("tests/ingress/api/test_requests.py", "seen in what is fetched"),
    "ingress/api/admin_routing.py": ("tests/e2e/test_routing_sets.py", "workers follow, or nobody"),
    "ingress/api/admin_cache.py": ("tests/e2e/test_cache.py", "workers forget, or nobody does"),
    "ingress/api/live.py": ("tests/ingress/test_live.py", "what watchers are told comes by it"),
    "ingress/intake.py": ("tests/ingress/api/test_chat.py", "every route is answered by it"),
    "providers/dialects/openai_responses/client.py": (
        "tests/providers/dialects/openai_responses/test_sdk.py",
        "what it writes, the SDK reads",
    ),
    "providers/dialects/openai_responses/decode.py": (
        "tests/providers/dialects/openai_responses/test_parse.py",
        "seen in the mistakes it names",
    ),
    "providers/dialects/openai_responses/events.py": (
        "tests/providers/dialects/openai_responses/test_read.py",
        "read by the stream's reader only",
    ),
    "providers/dialects/openai_responses/frames.py": (
        "tests/providers/dialects/openai_responses/test_sdk.py",
        "a frame is one the SDK takes",
    ),
    "providers/dialects/openai_responses/message.py": (
        "tests/providers/dialects/openai_responses/test_sdk.py",
        "seen in the events of a stream",
    ),
    "providers/dialects/openai_responses/open_items.py": (
        "tests/providers/dialects/openai_responses/test_sdk.py",
        "seen in the events of a stream",
    ),
    "providers/dialects/openai_responses/output.py": (
        "tests/providers/dialects/openai_responses/test_sdk.py",
        "the Response that the SDK checks",
    ),
    "providers/dialects/openai_responses/parts.py": (
        "tests/providers/dialects/openai_responses/test_history.py",
        "parts stand in items",
    ),
    "providers/dialects/openai_responses/render_input.py": (
        "tests/providers/dialects/openai_responses/test_render.py",
        "items stand in a body",
    ),
    "providers/dialects/openai_responses/upstream.py": (
        "tests/providers/dialects/openai_responses/test_round_trip.py",
        "a provider's traffic, both ways",
    ),
    "providers/dialects/openai_responses/write.py": (
        "tests/providers/dialects/openai_responses/test_sdk.py",
        "what it writes, the SDK reads",
    ),
    "providers/payload.py": ("tests/providers/test_transport.py", "seen in what is sent"),
    "providers/configured.py": ("tests/providers/test_instances.py", "one reading in three files"),
    "providers/fields.py": ("tests/providers/test_instances.py", "one reading in three files"),
    "providers/knowledge.py": ("tests/providers/test_pricelist.py", "the two ends of one question"),
    "schemas/analytics.py": ("tests/contracts/test_reports.py", "what stores are asked and say"),
    "schemas/control.py": ("tests/ingress/test_control.py", "read by it as a worker writes it"),
    "schemas/budget_errors.py": ("tests/test_docs.py", "each class against its row on the page"),
    "schemas/errors.py": ("tests/test_docs.py", "each class against its row on the page"),
    "schemas/exchange.py": ("tests/contracts/test_sinks.py", "what is stored is made of it"),
    "schemas/faultpoints.py": ("tests/crash/test_worker.py", "kills the process that uses it"),
    "streams/budgets/base.py": ("tests/contracts/test_accounts.py", "the contract of accounts"),
    "streams/budgets/memory.py": ("tests/contracts/test_accounts.py", "one of those it runs over"),
    "streams/budgets/scripts.py": ("tests/contracts/test_accounts.py", "run in Redis by those"),
    "streams/budgets/redis.py": ("tests/contracts/test_accounts.py", "one of those it runs over"),
    "sluice/budgeting.py": ("tests/e2e/test_budgets.py", "budgets as a worker has them"),
    "ingress/api/admin_guardrails.py": (
        "tests/gomodel/test_scenarios_admin.py",
        "seen in what providers are sent",
    ),
    "ingress/api/admin_workflows.py": (
        "tests/gomodel/test_scenarios_admin.py",
        "seen in what providers are sent",
    ),
    **dict.fromkeys(
        (
            *("ingress/api/admin_aliases.py", "ingress/api/admin_models.py"),
            "ingress/api/admin_switches.py",
        ),
        ("tests/gomodel/test_scenarios_models.py", "asked as an operator asks"),
    ),
    "ingress/api/admin_budgets.py": ("tests/e2e/test_budgets.py", "seen in who is refused"),
    "schemas/models.py": ("tests/gomodel/test_scenarios_models.py", "told of each model"),
    "schemas/keys.py": ("tests/ingress/test_auth.py", "a value is one that is known again"),
    "ingress/keys.py": ("tests/ingress/test_auth.py", "one half of who may ask"),
    "ingress/admin.py": ("tests/e2e/test_keys.py", "seen in what its routes answer"),
    "ingress/api/admin_audit.py": ("tests/e2e/test_usage.py", "what was stored is told"),
    "ingress/api/admin_usage.py": ("tests/e2e/test_usage.py", "what was stored is told"),
    "ingress/heads.py": ("tests/e2e/test_usage.py", "what was stored is told"),
    "ingress/listing.py": ("tests/e2e/test_usage.py", "what was stored is told"),
    "sluice/reports.py": ("tests/e2e/test_usage.py", "the store as an ingress has it"),
    "ingress/api/admin_keys.py": ("tests/e2e/test_keys.py", "two ingresses that know the same"),
    "ingress/api/key_fields.py": ("tests/e2e/test_keys.py", "seen in what is refused"),
    "schemas/guardrails.py": ("tests/streams/stages/test_guardrails.py", "made ready and applied"),
    "streams/guardrails/": ("tests/streams/stages/test_guardrails.py", "seen in what they do"),
    "sluice/guarding.py": ("tests/e2e/test_routing_sets.py", "a worker without guardrails"),
    "schemas/kinds.py": ("tests/sluice/test_config_log.py", "a table that its reader is given"),
    "schemas/header_values.py": ("tests/schemas/test_requests.py", "what a record's headers say"),
    "schemas/kafka.py": ("tests/sluice/test_serve.py", "only a real cluster can refuse it"),
    "schemas/metrics.py": ("tests/sluice/test_scrape.py", "read as Prometheus reads it"),
    "schemas/replies.py": ("tests/streams/test_answers.py", "records as a worker writes them"),
    "schemas/topics.py": ("tests/sluice/test_topics.py", "the table as it stands on a cluster"),
    "ingress/tracing.py": ("tests/e2e/test_tracing.py", "a trace is one over all processes"),
    "schemas/tracing.py": ("tests/e2e/test_tracing.py", "a trace is one over all processes"),
    "sinks/tracing.py": ("tests/e2e/test_tracing.py", "a trace is one over all processes"),
    "sluice/tracing.py": ("tests/e2e/test_tracing.py", "a trace is one over all processes"),
    "streams/tracing.py": ("tests/e2e/test_tracing.py", "a trace is one over all processes"),
    "schemas/usage.py": (
        "tests/providers/dialects/openai_chat/test_usage.py",
        "numbers as providers give them",
    ),
    "sinks/backoff.py": ("tests/sinks/test_runner.py", "seen in how an outage is waited for"),
    "sinks/base.py": ("tests/contracts/test_sinks.py", "the contract that every store keeps"),
    "sinks/batches.py": ("tests/sinks/test_runner.py", "poison only shows with its dead letter"),
    "sinks/consumer.py": ("tests/sinks/test_runner.py", "is nothing without a log"),
    "sinks/dead_letters.py": ("tests/sinks/test_runner.py", "is nothing without a log"),
    "sinks/heartbeats.py": ("tests/sinks/test_runner.py", "is nothing without a log"),
    "sinks/interruption.py": ("tests/sinks/test_runner.py", "seen in stops and outages"),
    "sinks/mongodb_answers.py": ("tests/contracts/test_answers.py", "the contract that both keep"),
    "sinks/mongodb_indexes.py": ("tests/sinks/test_mongodb.py", "one store in two files"),
    "sinks/columns.py": ("tests/sinks/test_sqlite.py", "a row of a table says what they are"),
    "sinks/postgresql_answers.py": (
        "tests/contracts/test_answers.py",
        "the contract that all keep",
    ),
    "sinks/postgresql_json.py": ("tests/sinks/test_postgresql.py", "seen in what is stored"),
    "sinks/postgresql_pool.py": ("tests/contracts/test_answers.py", "look-ups go by it"),
    "sinks/postgresql_reading.py": ("tests/sinks/test_postgresql.py", "one store in some files"),
    "sinks/postgresql_schema.py": ("tests/sinks/test_postgresql.py", "one store in some files"),
    "sinks/mongodb_rollups.py": (
        "tests/contracts/test_reports.py",
        "sums that all stores agree on",
    ),
    "sinks/rollups.py": ("tests/contracts/test_reports.py", "sums that all stores agree on"),
    "sinks/mongodb_reports.py": ("tests/contracts/test_reports.py", "the contract that all keep"),
    "sinks/postgresql_reports.py": (
        "tests/contracts/test_reports.py",
        "the contract that all keep",
    ),
    "sinks/sql_reports.py": ("tests/contracts/test_reports.py", "what two stores are asked"),
    "sinks/sqlite_reports.py": ("tests/contracts/test_reports.py", "the contract that all keep"),
    "sinks/sqlite_answers.py": ("tests/contracts/test_answers.py", "the contract that both keep"),
    "sinks/sqlite_schema.py": ("tests/sinks/test_sqlite.py", "one store in two files"),
    "sluice/broker/": ("tests/contracts/test_broker.py", "clients see one broker, not its parts"),
    "sluice/batching.py": ("tests/e2e/test_batches.py", "the parts as a worker has them"),
    "sluice/caching.py": ("tests/e2e/test_cache.py", "the stages as a worker has them"),
    "sluice/semantic.py": ("tests/e2e/test_semantic_cache.py", "the cache as a worker has it"),
    "sluice/connections.py": ("tests/sluice/test_serve.py", "what the roles stand on"),
    "sluice/ports.py": ("tests/sluice/test_serve.py", "a free port is one that serves"),
    "sluice/supervised.py": ("tests/sluice/test_serve.py", "the other end is the supervisor"),
    "streams/app.py": ("tests/crash/test_worker.py", "is nothing without Faust's group"),
    "streams/caches/base.py": ("tests/contracts/test_caches.py", "the contract of every cache"),
    "streams/caches/entry.py": ("tests/contracts/test_caches.py", "what every cache keeps"),
    "streams/caches/flight.py": ("tests/streams/stages/test_coalesce.py", "what members wait for"),
    "streams/caches/levels.py": ("tests/contracts/test_caches.py", "one of those it runs over"),
    "streams/caches/lookup.py": ("tests/streams/stages/test_cache.py", "data of what is asked"),
    "streams/caches/embedders/base.py": (
        "tests/streams/caches/meaning/test_finding.py",
        "the contract that its callers count on",
    ),
    "streams/caches/meaning/": (
        "tests/streams/caches/meaning/test_semantic.py",
        "seen in what is answered; test_learning.py and test_finding.py have the rest",
    ),
    "streams/caches/semantic/decision.py": (
        "tests/streams/caches/semantic/test_verified.py",
        "what it is asked and says",
    ),
    "streams/caches/vectors/base.py": (
        "tests/contracts/test_vectors.py",
        "the contract that every store keeps",
    ),
    "streams/caches/memory.py": ("tests/contracts/test_caches.py", "one of those it runs over"),
    "streams/caches/redis.py": ("tests/contracts/test_caches.py", "one of those it runs over"),
    "streams/delivery.py": ("tests/streams/test_inflight.py", "data of what is in flight"),
    "streams/heartbeat.py": ("tests/crash/test_lanes.py", "the ingress reads what it says"),
    "streams/log.py": ("tests/crash/test_worker.py", "is nothing without a log"),
    "streams/routing/attempts.py": (
        "tests/streams/stages/test_failover.py",
        "seen in who is asked",
    ),
    "streams/stages/counted.py": (
        "tests/streams/caches/meaning/test_semantic.py",
        "counts what the caches do",
    ),
    "streams/stages/telling.py": ("tests/streams/stages/test_coalesce.py", "seen in followers"),
    "streams/stages/keeper.py": ("tests/streams/stages/test_cache.py", "kept is what is found"),
    "streams/stages/__init__.py": ("tests/test_docs.py", "the recipe of a stage is run"),
    "streams/thread.py": ("tests/crash/test_worker.py", "is nothing without Faust's group"),
    "streams/topology.py": ("tests/crash/test_worker.py", "is nothing without Faust's group"),
}


def modules(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=name(path))


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of every import, those inside functions included."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(path)}:{node.lineno}: relative imports hide direction"
            yield node.lineno, node.module or ""


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_one_way(package: str) -> None:
    """Everyone imports schemas, streams import providers, sluice wires all; nothing else."""
    ours = {*PACKAGES, *FREE} - {package} - MAY_IMPORT[package]
    wrong = [
        f"{name(path)}:{line}: {target}"
        for path in modules(package)
        for line, target in imported(path)
        if target.partition(".")[0] in ours
    ]

    assert wrong == []


def test_faust_stays_in_the_wiring() -> None:
    """Only the worker's wiring knows Faust, so that everything else runs and is tested without it."""
    users = {
        name(path)
        for path in modules(*PACKAGES)
        for _, target in imported(path)
        if target.partition(".")[0] in {"faust", "mode"}
    }

    wiring = {f"streams/{part}.py" for part in ("app", "flow", "thread", "topology", "transport")}
    assert users == wiring


def test_modules_are_short() -> None:
    """No module has more than 300 lines but those that say why."""
    lengths = {
        name(path): len(path.read_text().splitlines())
        for path in modules(*PACKAGES, "deploy", "bench")
    }
    long = {module: length for module, length in lengths.items() if length > MAX_LINES}

    assert {module: length for module, length in long.items() if module not in LONG} == {}
    assert set(LONG) - set(long) == set(), "an exception that is not needed any more"


def test_no_file_is_a_drawer() -> None:
    """A file is named for its one concept; utils, helpers, common and misc answer no question."""
    parts = {
        part
        for path in modules(*PACKAGES, *FREE)
        for part in path.relative_to(ROOT).with_suffix("").parts
    }

    assert sorted(part for part in parts if DRAWERS.fullmatch(part)) == []


def words(path: Path) -> Iterator[tuple[int, str]]:
    """Every word of the names and texts in a module, docstrings included, in lower case."""
    for node in ast.walk(tree(path)):
        found = ""
        match node:
            case ast.Constant(value=str(text)):
                found = text
            case ast.Name(id=text) | ast.Attribute(attr=text) | ast.arg(arg=text):
                found = text
            case (
                ast.FunctionDef(name=text)
                | ast.AsyncFunctionDef(name=text)
                | ast.ClassDef(name=text)
            ):
                found = text
        for word in re.findall(r"[a-z]+", found.lower()):
            yield getattr(node, "lineno", 0), word


def test_shared_code_names_no_vendor() -> None:
    """Who a provider is stands in providers/ and in configuration; nobody else asks for its name."""
    wrong = [
        f"{name(path)}:{line}: {word}"
        for path in modules("schemas", "ingress", "streams", "sinks", "sluice")
        for line, word in words(path)
        if word in VENDOR_WORDS
        and not name(path).startswith("sluice/settings/")
        and not (word in CLIENT_DIALECTS and name(path).startswith(SPEAKS_DIALECTS))
        and word not in VENDORS_NAMED.get(name(path), (set(), ""))[0]
    ]

    assert wrong == []


def test_the_topology_is_one_file() -> None:
    """`@app.agent` stands in streams/topology.py: what happens to a request has one answer."""
    users = {
        name(path)
        for path in modules(*PACKAGES)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for decorator in node.decorator_list
        for part in ast.walk(decorator)
        if isinstance(part, ast.Attribute) and part.attr == "agent"
    }

    assert users == {"streams/topology.py"}


def test_only_the_settings_read_the_environment() -> None:
    """os.environ and os.getenv stand in sluice/settings/; everything else is handed its values."""
    readers = set()
    for path in modules(*PACKAGES):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv"}:
                readers.add(name(path))
            if isinstance(node, ast.ImportFrom) and node.module == "os":
                readers |= {name(path) for alias in node.names if "env" in alias.name}

    assert {reader for reader in readers if not reader.startswith("sluice/settings/")} == set()


def test_tasks_start_in_one_place() -> None:
    """A task is started by schemas.tasks.Tasks, which names it, holds it and waits for it."""
    starters = {
        name(path)
        for path in modules(*PACKAGES)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr in {"create_task", "ensure_future"}
    }

    assert starters == {"schemas/tasks.py"}


def has_behaviour(path: Path) -> bool:
    """Whether there is anything to test: a function that does more than name its interface."""
    return any(
        not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for statement in node.body
    )


def own_tests(path: Path) -> list[Path]:
    """Where a module's test may be: its mirror, or that of a folder that is tested as one."""
    relative = path.relative_to(ROOT).with_suffix("")
    if relative.name == "__init__":
        relative = relative.parent
    mirrors = [relative, *(parent for parent in relative.parents if len(parent.parts) > 1)]
    return [ROOT / "tests" / mirror.parent / f"test_{mirror.name}.py" for mirror in mirrors]


def elsewhere(module: str) -> list[str]:
    return [
        key
        for key in TESTED_ELSEWHERE
        if key == module or (key[-1] == "/" and module.startswith(key))
    ]


def test_every_module_is_tested() -> None:
    """Each module has a test module of its name, or the name of the test that covers it and why."""
    untested, needless = [], []
    for path in modules(*PACKAGES):
        own = any(test.exists() for test in own_tests(path))
        if not own and has_behaviour(path) and not elsewhere(name(path)):
            untested.append(name(path))
        if own and name(path) in TESTED_ELSEWHERE:
            needless.append(name(path))

    assert untested == []
    assert needless == [], "these have a test of their own by now"


@pytest.mark.parametrize("module", TESTED_ELSEWHERE)
def test_what_covers_a_module_exists(module: str) -> None:
    """The tests that stand in for a module's own, and the module itself, are there."""
    assert (ROOT / module).exists()
    assert (ROOT / TESTED_ELSEWHERE[module][0]).exists()

"""Image, compose file, Makefile and lock files promise only what is there."""

import fnmatch
import json
import os
import re
import subprocess
import tomllib
import xml.etree.ElementTree as ET
from typing import Any

import pytest
import yaml

from schemas import metrics
from sluice.settings.table import SETTINGS
from tests.services import ROOT

COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE_TEXT)["services"]
INFRA = {"kafka", "redis", "postgres", "mongo", "adminer"}
ROLES = {"sluice-ingress", "sluice-streams", "sluice-sinks"}
MAKEFILE = (ROOT / "Makefile").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
# Read by the Dockerfile's commands, by Docker and by Python; not ours.
FOREIGN_VARIABLES = {"PATH", "PYTHONUNBUFFERED"}


def test_profiles_hold_what_they_promise():
    """`infra` is what Sluice talks to; `full` adds the roles, Prometheus, and the topics' creation;
    `vectors` is what the semantic cache can keep its questions in."""
    profiles = {name: set(service["profiles"]) for name, service in SERVICES.items()}
    assert {name for name, names in profiles.items() if "infra" in names} == INFRA
    assert {name for name, names in profiles.items() if "full" in names} == (
        INFRA | ROLES | {"sluice-topics", "prometheus"}
    )
    vectors = {name for name, names in profiles.items() if "vectors" in names}
    assert vectors == {"weaviate", "qdrant", "postgres"}
    assert set.union(*profiles.values()) == {"infra", "full", "vectors"}


@pytest.mark.parametrize("name", SERVICES)
def test_image_is_pinned(name: str):
    """A tag with a full version: tomorrow's image is today's."""
    _, _, tag = SERVICES[name]["image"].replace("${SLUICE_VERSION:-0.1.0}", "0.1.0").rpartition(":")
    assert re.search(r"\d+\.\d+", tag), SERVICES[name]["image"]


@pytest.mark.parametrize("name", SERVICES)
def test_health_is_checked(name: str):
    """By the service itself, or by the image's own check; the one that only creates topics has none."""
    check = SERVICES[name].get("healthcheck")
    if name == "sluice-topics":
        assert check == {"disable": True}
    elif name == "sluice-ingress":
        assert check is None
        assert "HEALTHCHECK" in DOCKERFILE
    else:
        assert check["test"][0] in {"CMD", "CMD-SHELL"}


def test_ports_are_published_on_loopback():
    """Whoever wants to serve others says so (BIND)."""
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 10
    assert all(port.startswith("${BIND:-127.0.0.1}:${") for port in ports)


def test_every_variable_has_a_default():
    """`docker compose up` needs no .env; only the master key's default is empty."""
    variables = re.findall(r"(?<!\$)\$\{([^}]*)\}", COMPOSE_TEXT.partition("name: sluice")[2])
    without = {text for text in variables if not re.fullmatch(r"[A-Z_]+:-.+", text)}
    assert without == {"SLUICE_MASTER_KEY:-"}


def test_volumes_are_declared():
    """Every named volume is declared, and none is left over; data survive `make down`."""
    mounts = [mount for service in SERVICES.values() for mount in service.get("volumes", [])]
    named = {mount.partition(":")[0] for mount in mounts if not mount.startswith(".")}
    assert named == set(yaml.safe_load(COMPOSE_TEXT)["volumes"])
    for mount in mounts:
        if mount.startswith("."):
            assert (ROOT / mount.partition(":")[0]).is_file()


def test_roles_are_given_settings_that_exist():
    """Each variable of a role, in the compose file or the image, is one that the program reads."""
    known = {name for setting in SETTINGS for name in setting.names}
    for name in ROLES | {"sluice-topics"}:
        assert set(SERVICES[name]["environment"]) <= known
    block = re.search(r"^ENV PATH=(?:.*\\\n)*.*$", DOCKERFILE, re.MULTILINE)
    assert block is not None
    assert set(re.findall(r"([A-Z_]+)=", block[0])) - FOREIGN_VARIABLES <= known


def test_prometheus_scrapes_every_role():
    """The scraped names and ports are those of the compose file."""
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    targets = {
        (discovery["names"][0], str(discovery["port"]))
        for job in config["scrape_configs"]
        for discovery in job["dns_sd_configs"]
    }
    assert targets == {
        (name, SERVICES[name]["environment"].get("METRICS_PORT", "8080")) for name in ROLES
    }


def test_alerts_ask_for_what_is_measured():
    """Every series in the rules is one that a role exports, with labels that it has; every rule says how
    urgent it is and what happened."""
    rules = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"][0][
        "rules"
    ]
    series: dict[str, set[str]] = {}
    for spec in metrics.specs():
        names = (spec.name, f"{spec.name}_total", f"{spec.name}_bucket")
        series |= {each: {*spec.labels, "le"} for each in names}
    assert len({rule["alert"] for rule in rules}) == len(rules) > 5
    for rule in rules:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]
        for name, selected in re.findall(r"(sluice_\w+)(?:\{([^}]*)\})?", rule["expr"]):
            assert name in series, name
            assert set(re.findall(r"(\w+)=", selected)) <= series[name], rule["expr"]
        for label in re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]):
            grouped = re.search(r"by \(([^)]*)\)", rule["expr"])
            known = grouped[1] if grouped else "job instance store"
            assert label in known, rule["alert"]


def test_compose_has_the_kafka_that_the_tests_use():
    """The container and the jars of `make services` are the same version."""
    pom = ET.parse(ROOT / "deploy/services/kafka.pom.xml").getroot()
    space = {"m": "http://maven.apache.org/POM/4.0.0"}
    versions = {
        found.findtext("m:artifactId", "", space): found.findtext("m:version", "", space)
        for found in pom.iterfind(".//m:dependency", space)
    }
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{versions['kafka_2.13']}"


def test_dockerfile_copies_what_exists_and_is_not_ignored():
    """Every COPY source is in the repository and let through by .dockerignore."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    sources: set[str] = set()
    for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE):
        sources |= set(line.split()[:-1])
    assert sources == allowed
    assert {source for source in sources if not (ROOT / source).exists()} == set()
    assert set(PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) <= sources


def test_image_is_built_by_hashes_and_runs_without_root():
    """What is downloaded is what was locked; the process is nobody special."""
    installs = re.findall(r"pip install (.*)", DOCKERFILE)
    assert installs
    assert all("--require-hashes" in line or "--no-index" in line for line in installs)
    assert re.search(r"^FROM python:\$\{PYTHON\}$", DOCKERFILE, re.MULTILINE)
    assert re.search(r"^ARG PYTHON=3\.11\.\d+-slim", DOCKERFILE, re.MULTILINE)
    assert re.search(r"^USER \d+$", DOCKERFILE, re.MULTILINE)
    assert 'ENTRYPOINT ["sluice"]\nCMD ["serve"]' in DOCKERFILE


def test_make_lists_every_target():
    """`make` alone names each target with one line, and starts nothing."""
    output = subprocess.run(
        ["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    ).stdout
    listed = set(re.findall(r"^  make (\S+) +\S.*$", output, re.MULTILINE))
    phony = re.search(r"^\.PHONY: (help .*)$", MAKEFILE, re.MULTILINE)
    assert phony is not None
    assert listed == set(phony[1].split())
    assert len(output.splitlines()) == len(listed)


def test_ci_calls_make_test():
    """CI runs what a developer runs."""
    script = ROOT / ".ci/run"
    assert os.access(script, os.X_OK)
    assert "make test" in script.read_text()


@pytest.mark.parametrize("name", ["requirements", "requirements-dev", "requirements-build"])
def test_lock_has_hashes_and_no_address(name: str):
    """Every locked package has a hash, and none comes from a place that only one machine knows."""
    text = (ROOT / f"{name}.lock").read_text()
    entries = [line for line in text.splitlines() if line and line[0] not in " #"]
    assert entries
    assert all(re.match(r"[a-z0-9._-]+==\S+", entry) for entry in entries)
    assert all(entry.endswith("\\") for entry in entries)
    assert "://" not in text
    assert not re.search(r"^--", text, re.MULTILINE)


def test_locks_hold_what_the_project_asks_for():
    """A dependency without a lock entry would not be installed: `make lock` was forgotten."""
    wanted = {
        "requirements.lock": PYPROJECT["project"]["dependencies"],
        "requirements-dev.lock": PYPROJECT["dependency-groups"]["dev"],
        "requirements-build.lock": PYPROJECT["build-system"]["requires"],
    }
    for lock, requirements in wanted.items():
        text = (ROOT / lock).read_text()
        locked = set(re.findall(r"^([a-z0-9._-]+)==", text, re.MULTILINE))
        names = {re.split(r"[\[=><~! ]", line)[0].lower() for line in requirements}
        assert names - locked == set(), lock


def test_committed_files_hold_no_generated_ones():
    """Data, caches and the environment are ignored by git."""
    patterns = (ROOT / ".gitignore").read_text().split()
    for name in (".venv", ".services", "data", "__pycache__", ".env"):
        assert any(fnmatch.fnmatch(name, pattern.rstrip("/")) for pattern in patterns), name


def test_packages_of_node_are_pinned():
    """Each by its hash, and none by the registry of the machine that locked it."""
    folder = ROOT / "tests" / "node"
    wanted = json.loads((folder / "package.json").read_text())["dependencies"]
    text = (folder / "package-lock.json").read_text()
    locked = json.loads(text)["packages"]

    for name, package in locked.items():
        assert "resolved" not in package
        assert not name or package["integrity"].startswith("sha512-")
    assert {name: locked[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert "omit-lockfile-registry-resolved=true" in (folder / ".npmrc").read_text()

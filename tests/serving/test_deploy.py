"""The files for containers: what they name exists, and the metrics of alerts and dashboard are the server's."""

import json
import re
from importlib.metadata import requires
from pathlib import Path

import yaml
from typer.main import get_command

from adi.cli.main import app
from adi.serving.metrics import Metrics

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def metric_names() -> set[str]:
    """The names of samples that a server has, such as adi_requests_total."""
    return {sample for family in Metrics().registry.collect() for sample in names_of(family)}


def names_of(family) -> set[str]:
    suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(family.type, [""])
    return {family.name + suffix for suffix in suffixes}


def test_alerts_and_the_dashboard_name_metrics_of_the_server():
    alerts = yaml.safe_load((DEPLOY / "alerts.yaml").read_text())
    dashboard = json.loads((DEPLOY / "grafana" / "adi.json").read_text())
    expressions = [rule["expr"] for group in alerts["groups"] for rule in group["rules"]]
    expressions += [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    named = {name for expression in expressions for name in re.findall(r"\badi_\w+", expression)}
    assert named - metric_names() == set()
    assert len(named) >= 12
    sources = yaml.safe_load((DEPLOY / "grafana" / "datasource.yaml").read_text())["datasources"]
    assert {panel["datasource"]["uid"] for panel in dashboard["panels"]} == {source["uid"] for source in sources}


def test_files_that_are_mounted_exist_and_no_service_is_open_to_the_network():
    for name, service in COMPOSE["services"].items():
        for volume in service["volumes"]:
            source = volume.partition(":")[0]
            if source.startswith("./"):
                assert (DEPLOY / source).is_file(), f"{name}: {source}"
            else:
                assert source in COMPOSE["volumes"] or source.startswith("${BUNDLE"), f"{name}: {source}"
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
        assert ":latest" not in service["image"]
        assert ":" in service["image"]
    scrape = yaml.safe_load((DEPLOY / "prometheus.yaml").read_text())["scrape_configs"][0]  # /metrics needs the token
    (secret,) = COMPOSE["services"]["prometheus"]["secrets"]
    assert scrape["authorization"]["credentials_file"] == f"/run/secrets/{secret}"
    assert COMPOSE["secrets"][secret]["environment"] in COMPOSE["services"]["adi"]["environment"]
    rules = yaml.safe_load((DEPLOY / "prometheus.yaml").read_text())["rule_files"]
    mounted = {volume.split(":")[1] for volume in COMPOSE["services"]["prometheus"]["volumes"]}
    assert set(rules) <= mounted


def test_the_server_writes_to_folders_in_memory_that_docker_and_podman_make():
    """Podman knows no uid= of a tmpfs, so what the image's user writes to is everybody's: that user is the only one."""
    adi = COMPOSE["services"]["adi"]
    assert adi["read_only"]
    folders = dict(folder.partition(":")[::2] for folder in adi["tmpfs"])
    assert set(folders.values()) <= {"", "mode=1777"}
    cache = re.search(r"ADI_CACHE=(\S+)", dict(instructions())["ENV"])
    assert cache
    assert str(Path(cache[1]).parent) in folders


def instructions() -> list[tuple[str, str]]:
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    return [tuple(line.split(None, 1)) for line in text.splitlines() if line and not line.startswith("#")]  # type: ignore[misc]


def test_the_image_is_nobodys_root_and_starts_a_command_that_exists():
    lines = instructions()
    known = {"FROM", "COPY", "RUN", "USER", "WORKDIR", "ENV", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
    assert {name for name, _ in lines} <= known
    assert ("USER", "adi") in lines
    last_run = max(index for index, (name, _) in enumerate(lines) if name == "RUN")
    assert lines.index(("USER", "adi")) > last_run
    program, *_ = json.loads(dict(lines)["ENTRYPOINT"])
    name, *words = json.loads(dict(lines)["CMD"])
    assert program == "adi"
    get_command(app).commands[name].make_context(name, words)  # type: ignore[attr-defined]
    assert all(":latest" not in rest for kind, rest in lines if kind == "FROM")
    kept = (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    for kind, rest in lines:
        if kind == "COPY" and not rest.startswith(("--from", ".")):
            assert f"!{rest.split()[0]}" in kept


def test_the_list_of_what_a_server_needs_is_that_of_the_package():
    wanted = [line for line in (DEPLOY / "requirements-serve.txt").read_text().splitlines() if not line.startswith("#")]
    ours = {re.sub(r"\s|\(|\)", "", line.partition("; extra")[0]) for line in requires("adi-retrieval") or []}
    names = {re.match(r"[\w.-]+", line)[0]: normal(line) for line in ours}  # type: ignore[index]
    for line in wanted:
        name = re.match(r"[\w.-]+", line)[0]  # type: ignore[index]
        assert name in names, f"{line} is no requirement of the package"
        assert normal(line) == names[name]
    assert "torch" not in {re.match(r"[\w.-]+", line)[0] for line in wanted}  # type: ignore[index]


def normal(requirement: str) -> tuple[str, ...]:
    """A requirement's versions, in an order that does not depend on who wrote it."""
    return tuple(sorted(re.findall(r"[<>=!~]=?[\d.]+", requirement.partition(";")[0])))

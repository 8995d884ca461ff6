"""The manifests of deploy/: whole, of one application, and of commands, variables and paths that exist."""

import re
from pathlib import Path

import pytest
import typer
import yaml

from adi.bundle.remote import CACHE
from adi.cli.main import app

MANIFESTS = Path(__file__).parents[2] / "deploy" / "kubernetes.yaml"


@pytest.fixture(scope="module")
def by_kind():
    documents = list(yaml.safe_load_all(MANIFESTS.read_text(encoding="utf-8")))
    assert all({"apiVersion", "kind", "metadata", "spec"} <= set(document) for document in documents)
    return {document["kind"]: document for document in documents}


@pytest.fixture(scope="module")
def pod(by_kind):
    return by_kind["Deployment"]["spec"]["template"]


@pytest.fixture(scope="module")
def container(pod):
    (only,) = pod["spec"]["containers"]
    return only


def test_labels_lead_to_the_pods(by_kind, pod):
    labels = pod["metadata"]["labels"].items()
    deployment, service, budget = (by_kind[kind]["spec"] for kind in ("Deployment", "Service", "PodDisruptionBudget"))
    for selector in (
        deployment["selector"]["matchLabels"],
        service["selector"],
        budget["selector"]["matchLabels"],
        pod["spec"]["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
    ):
        assert selector.items() <= labels
    assert budget["minAvailable"] < deployment["replicas"]
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0  # a swap never has fewer servers


def test_the_command_is_one_of_adi(container):
    name, command, *words = container["command"]
    assert name == "adi"
    serve = typer.main.get_command(app).commands[command]
    options = {option: parameter for parameter in serve.params for option in parameter.opts}
    flags = [word for word in words if word.startswith("--")]
    assert set(flags) <= set(options)
    variables = {variable["name"] for variable in container["env"]}
    assert set(re.findall(r"\$\((\w+)\)", " ".join(words))) <= variables
    assert variables - {"ADI_BUNDLE", CACHE} <= {parameter.envvar for parameter in serve.params}
    assert all(isinstance(word, str) for word in container["command"])


def test_probes_ask_for_routes_that_need_no_token(container, served):
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert container["command"][container["command"].index("--port") + 1] == str(ports["http"])
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        get = container[probe]["httpGet"]
        assert get["port"] in ports
        assert served.ask(get["path"]).status == 200


def test_a_pod_has_time_to_end_and_room_for_its_copy(pod, container):
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    answering = 5 + 1  # the timeout of a request, and a second
    assert pod["spec"]["terminationGracePeriodSeconds"] > pause + answering
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    assert set(mounts.values()) == {volume["name"] for volume in pod["spec"]["volumes"]}
    values = {variable["name"]: variable.get("value") for variable in container["env"]}
    assert values[CACHE] in mounts
    assert {"requests", "limits"} <= set(container["resources"])


def test_a_container_is_nobodys_root_and_writes_to_its_volumes_alone(pod, container):
    uid = re.search(r"--uid (\d+)", MANIFESTS.with_name("Dockerfile").read_text(encoding="utf-8"))
    assert uid
    assert pod["spec"]["securityContext"]["runAsNonRoot"]
    assert pod["spec"]["securityContext"]["runAsUser"] == int(uid[1])
    assert container["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}

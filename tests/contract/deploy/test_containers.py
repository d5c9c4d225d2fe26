"""The image runs as nobody in particular; the cluster's objects are whole and locked up."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from services.building import SERVICES
from services.kernel.broker.server import find_binary
from services.kernel.settings import Settings
from tests.contract.deploy.test_deploy import _said, _upstream, needs

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
KUBERNETES = ROOT / "deploy" / "kubernetes"
CLAIM = "amends-data"
SECRETS = {"amends", "amends-nats", "amends-tls"}
"""Made by hand, as the page says; none lies here."""
Json = dict[str, Any]


# ------------------------------------------------------------------------- the image


def instructions() -> list[tuple[str, str]]:
    text = (ROOT / "deploy" / "Containerfile").read_text()
    joined = re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*\n", "", text))
    lines = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [(word, rest) for word, rest in lines]


def last(word: str) -> str:
    return [rest for each, rest in instructions() if each == word][-1]


def test_the_image_has_no_root_no_shell_and_no_floating_base() -> None:
    words = [word for word, _ in instructions()]
    final = words[len(words) - words[::-1].index("FROM") - 1 :]
    user, group = last("USER").split(":")
    assert min(int(user), int(group)) > 0
    # Nothing is done as root behind it.
    assert {"RUN", "COPY", "ADD"}.isdisjoint(final[final.index("USER") :])
    assert "ADD" not in words
    assert last("ENTRYPOINT").startswith("[")
    assert last("STOPSIGNAL") == "SIGTERM"
    for word, rest in instructions():
        if word == "FROM":
            assert re.fullmatch(r"\S+/\S+:\d[\w.-]+( AS \w+)?", rest), rest


def test_the_image_installs_what_is_locked_and_copies_what_is_there() -> None:
    ignored = (ROOT / "deploy" / "Containerfile.dockerignore").read_text().splitlines()
    let_in = {line[1:] for line in ignored if line.startswith("!")}
    assert "*" in ignored
    installs = [rest for word, rest in instructions() if "pip install" in rest]
    assert all("--require-hashes" in rest or "--no-deps" in rest for rest in installs)
    for word, rest in instructions():
        if word == "COPY" and "--from" not in rest:
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists()
                assert source in let_in


def test_the_image_names_settings_that_exist() -> None:
    given = dict(re.findall(r"AMENDS_([A-Z_]+)=(\S+)", last("ENV")))
    Settings(**{name.lower(): value for name, value in given.items()})


# ----------------------------------------------------------------------- the cluster


@pytest.fixture(scope="module")
def objects() -> list[Json]:
    made = _said("kubectl", "kustomize", str(KUBERNETES))
    assert made.returncode == 0, made.stderr
    return list(yaml.safe_load_all(made.stdout))


def of_kind(objects: list[Json], *kinds: str) -> list[Json]:
    return [each for each in objects if each["kind"] in kinds]


def pods(objects: list[Json]) -> Iterator[tuple[str, Json]]:
    for each in of_kind(objects, "Deployment", "StatefulSet", "Job"):
        yield each["metadata"]["name"], each["spec"]["template"]["spec"]


@needs("kubectl")
def test_no_pod_has_root_or_more_than_it_needs(objects: list[Json]) -> None:
    found = dict(pods(objects))
    assert set(found) == {*SERVICES, "nats", "amends-provision"}
    for name, pod in found.items():
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert {"requests", "limits"} <= container["resources"].keys()
            assert re.search(r":\d[\w.-]*$", container["image"]), "no floating tag"


@needs("kubectl")
def test_each_service_is_probed_spread_and_never_away_as_a_whole(
    objects: list[Json],
) -> None:
    budgets = {
        each["spec"]["selector"]["matchLabels"]["app"]
        for each in of_kind(objects, "PodDisruptionBudget")
    }
    assert budgets == {*SERVICES, "nats"}
    ports = {
        each["metadata"]["name"]: each["spec"]["ports"][0]["port"]
        for each in of_kind(objects, "Service")
    }
    notice = int(settings(objects)["AMENDS_NOTICE_SECONDS"])
    for each in of_kind(objects, "Deployment"):
        name, pod = each["metadata"]["name"], each["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert each["spec"]["replicas"] >= 2
        assert each["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
        assert container["args"] == ["run", name]
        assert container["ports"][0]["containerPort"] == ports[name]
        assert container["readinessProbe"]["httpGet"]["path"] == "/health/ready"
        assert container["livenessProbe"]["httpGet"]["path"] == "/health/live"
        # Told to end, it has its notice, its requests and its last commit.
        probe = container["readinessProbe"]
        assert probe["periodSeconds"] < notice
        assert pod["terminationGracePeriodSeconds"] > notice + 30


def settings(objects: list[Json]) -> dict[str, str]:
    maps = of_kind(objects, "ConfigMap")
    (found,) = [each["data"] for each in maps if "AMENDS_DATA" in each["data"]]
    return dict(found)


@needs("kubectl")
def test_the_cluster_is_given_settings_that_exist_and_no_secret(
    objects: list[Json], tmp_path: Path
) -> None:
    given = settings(objects)
    seed = tmp_path / "nats.nk"
    seed.write_text("")
    values = {
        name.removeprefix("AMENDS_").lower(): text for name, text in given.items()
    }
    read = Settings(**{**values, "nats_credentials": seed})
    assert read.stream_replicas == 3
    for service in SERVICES:
        assert given[f"AMENDS_{service.upper()}_URL"].startswith(f"http://{service}:")
    assert not of_kind(objects, "Secret")
    text = (KUBERNETES.parent / "README.md").read_text()
    for name in SECRETS:
        assert f"secret generic {name} " in text or f"secret tls {name} " in text


@needs("kubectl")
def test_the_ingress_leads_where_the_proxy_leads(objects: list[Json]) -> None:
    (ingress,) = of_kind(objects, "Ingress")
    paths = ingress["spec"]["rules"][0]["http"]["paths"]
    names = {each["metadata"]["name"] for each in of_kind(objects, "Service")}
    for each in paths:
        service = each["backend"]["service"]["name"]
        assert service in names
        if service == "closed":
            continue
        for below in ("", "/x"):
            if each["pathType"] == "Prefix" and each["path"] != "/":
                assert _upstream(each["path"] + below) == service
    closed = {
        each["path"] for each in paths if each["backend"]["service"]["name"] == "closed"
    }
    assert closed == {"/health", "/metrics", "/api/progress"}


def test_the_cluster_of_brokers_has_a_configuration_that_it_accepts(
    tmp_path: Path,
) -> None:
    text = (KUBERNETES / "nats.conf").read_text()
    (tmp_path / "accounts").mkdir()
    (tmp_path / "accounts" / "accounts.conf").write_text("")
    config = tmp_path / "nats.conf"
    config.write_text(text.replace('"/data"', f'"{tmp_path}/js"'))
    said = subprocess.run(
        [find_binary(), "-t", "-c", str(config)],
        env={"SERVER_NAME": "nats-0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    assert "sync_interval: always" in text

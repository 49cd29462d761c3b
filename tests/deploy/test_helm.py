"""The Helm chart, which Helm itself renders, has all that an operator of a cluster needs."""

import re
import textwrap
from functools import cache
from typing import Any

import helm_python as helm
import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft202012Validator

from prodgen.runs.processes import STOP_SECONDS
from prodgen.settings import Settings
from tests.deploy.compose import ROOT, command, services

CHART = ROOT / "deploy/helm/prodgen"
KUBERNETES = "1.37"

VALUES: dict[str, Any] = {
    "images": {"gateway": "registry.example/gateway:1.0", "worker": "registry.example/worker:1.0"},
    "secret": "prodgen",
    "publicUrl": "https://images.example.com",
    "store": {"url": "s3://prodgen", "endpoint": "https://s3.example.com"},
    "scaling": {"prometheus": "http://prometheus.monitoring:9090"},
    "network": {
        "redis": {"peers": [{"ipBlock": {"cidr": "10.0.0.5/32"}}]},
        "store": {"peers": [{"ipBlock": {"cidr": "10.0.0.6/32"}}]},
    },
}
GPU: dict[str, Any] = {
    "name": "h200",
    "gpus": 1,
    "threads": 8,
    "scaling": {"minReplicas": 0, "maxReplicas": 4, "secondsPerWorker": 120, "activationSeconds": 600},
    "stopSeconds": 30,
    "cacheSize": "50Gi",
    "resources": {"requests": {"cpu": "8", "memory": "16Gi"}, "limits": {"memory": "32Gi"}},
    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
}
ALL: dict[str, Any] = {
    **VALUES,
    "settings": {"lease_seconds": 20},
    "gateway": {"ingress": {"enabled": True, "host": "images.example.com", "tlsSecret": "tls"}},
    "workers": [GPU, {**GPU, "name": "cpu", "gpus": 0}],
    "flower": {"enabled": True},
    "podMonitor": True,
    "traces": {"endpoint": "http://collector.monitoring:4318"},
    "network": {**VALUES["network"], "collector": {"peers": [{"ipBlock": {"cidr": "10.0.0.7/32"}}]}},
}

_OBJECT = {"type": "object", "additionalProperties": {"type": "string"}}
SCALED_OBJECT = Draft202012Validator(
    {
        "type": "object",
        "additionalProperties": False,
        "required": ["scaleTargetRef", "triggers"],
        "properties": {
            "scaleTargetRef": {"type": "object", "required": ["name"], **_OBJECT},
            "minReplicaCount": {"type": "integer"},
            "maxReplicaCount": {"type": "integer"},
            "pollingInterval": {"type": "integer"},
            "cooldownPeriod": {"type": "integer"},
            "triggers": {
                "type": "array",
                "items": {
                    "additionalProperties": False,
                    "properties": {
                        "type": {"const": "prometheus"},
                        "metadata": {**_OBJECT, "required": ["serverAddress", "query", "threshold"]},
                    },
                },
            },
        },
    }
)
"""The part of KEDA's ScaledObject that the chart uses. No package ships the schemas of KEDA."""

Objects = dict[tuple[str, str], dict[str, Any]]


def rendered(values: dict[str, Any]) -> Objects:
    """Return the objects of `helm template shop` by kind and name, without the name of the release."""
    with helm.Chart.load(CHART) as chart:
        files = chart.render(values, name="shop", namespace="images")
    texts = [text for name, text in files.items() if name.endswith(".yaml")]
    objects = [one for text in texts for one in yaml.safe_load_all(text) if one]
    return {(one["kind"], one["metadata"]["name"].removeprefix("shop-")): one for one in objects}


@cache
def whole() -> Objects:
    return rendered(ALL)


def pods(objects: Objects) -> dict[str, dict[str, Any]]:
    """Return the pods' specifications by the names of their Deployments and Jobs."""
    kinds = ("Deployment", "Job")
    return {name: one["spec"]["template"]["spec"] for (kind, name), one in objects.items() if kind in kinds}


def container(pod: dict[str, Any]) -> dict[str, Any]:
    (only,) = pod["containers"]
    found: dict[str, Any] = only
    return found


def documented() -> dict[str, Any]:
    """Return the values that docs/how-to/deploy-with-helm.md shows."""
    page = (ROOT / "docs/how-to/deploy-with-helm.md").read_text()
    block = re.search(r'```yaml title="shop.yaml"\n(.*?)```', page, re.DOTALL)
    assert block
    found: dict[str, Any] = yaml.safe_load(textwrap.dedent("    " + block[1].lstrip()))
    return found


@pytest.mark.parametrize("values", [VALUES, ALL, documented()], ids=["least", "all", "documented"])
def test_kubernetes_takes_every_object(values: dict[str, Any]) -> None:
    for one in rendered(values).values():
        if one["kind"] == "ScaledObject":
            assert [*SCALED_OBJECT.iter_errors(one["spec"])] == []
        elif one["kind"] != "PodMonitor":
            kubernetes_validate.validate(one, KUBERNETES, strict=True)


def test_helm_finds_nothing_to_warn_of() -> None:
    report = helm.lint(CHART, ALL, strict=True)
    assert [message for message in report["messages"] if message["severity"] > 1] == []


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ({"secret": ""}, "secret"),
        ({"images": {"gateway": "registry.example/gateway", "worker": "x:1"}}, "images/gateway"),
        ({"scaling": {"enabled": True}}, "scaling/prometheus"),
        ({"network": {"enabled": True}}, "network/redis/peers"),
        ({"workers": [{**GPU, "replica": 3}]}, "replica"),
        ({"store": {"url": "s3://prodgen"}}, "store/endpoint"),
        ({"settings": {"redis_url": "redis://:password@redis"}}, "redis_url"),
    ],
)
def test_a_value_that_is_missing_or_misspelt_stops_the_installation(
    missing: dict[str, Any], said: str
) -> None:
    with pytest.raises(helm.HelmValuesError, match=said):
        rendered({**VALUES, **missing})


def test_every_secret_comes_from_the_operators_secret() -> None:
    assert not any(kind == "Secret" for kind, _ in whole())
    for name, pod in pods(whole()).items():
        for variable in container(pod)["env"]:
            secret = variable["name"].endswith(("_KEY", "_AUTH", "REDIS_URL"))
            reference = variable.get("valueFrom", {}).get("secretKeyRef", {})
            assert bool(reference) == secret, (name, variable["name"])
            assert not secret or reference["name"] == "prodgen"


def test_every_process_gets_settings_that_it_knows() -> None:
    known = {f"PRODGEN_{name.upper()}" for name in Settings.model_fields}
    for pod in pods(whole()).values():
        names = {variable["name"] for variable in container(pod)["env"]}
        assert {name for name in names if name.startswith("PRODGEN_")} <= known
        assert {"PRODGEN_LEASE_SECONDS", "OTEL_EXPORTER_OTLP_ENDPOINT"} <= names


@pytest.mark.parametrize(
    ("pod", "service"),
    [
        ("gateway", "gateway"),
        ("worker-h200", "worker"),
        ("training-cpu", "training"),
        ("maintenance", "maintenance"),
        ("beat", "beat"),
        ("flower", "flower"),
        ("seed", "seed"),
    ],
)
def test_the_pods_run_what_the_containers_of_compose_run(pod: str, service: str) -> None:
    assert container(pods(whole())[pod])["command"] == command(services()[service])


def test_a_broken_process_can_neither_write_its_image_nor_become_root_nor_ask_kubernetes() -> None:
    for pod in pods(whole()).values():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        security = container(pod)["securityContext"]
        assert (security["readOnlyRootFilesystem"], security["allowPrivilegeEscalation"]) == (True, False)
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert "memory" in container(pod)["resources"]["limits"]


def test_a_pod_that_ends_has_time_to_hand_back_what_it_holds() -> None:
    for name, pod in pods(whole()).items():
        grace = pod.get("terminationGracePeriodSeconds", 30)
        if name.startswith("worker-"):
            stop = next(v for v in container(pod)["env"] if v["name"] == "PRODGEN_STOP_SECONDS")["value"]
            assert grace > float(stop) + 10
        if name.startswith("training-"):
            assert grace > STOP_SECONDS + 10


def test_workers_are_scaled_from_zero_by_seconds_of_work_and_nothing_else_sets_their_number() -> None:
    objects = whole()
    scaled = objects["ScaledObject", "worker-h200"]["spec"]
    assert scaled["scaleTargetRef"] == {"name": "shop-worker-h200"}
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (0, 4)
    (trigger,) = scaled["triggers"]
    assert "prodgen_backlog_seconds" in trigger["metadata"]["query"]
    assert (trigger["metadata"]["threshold"], trigger["metadata"]["activationThreshold"]) == ("120", "600")
    assert trigger["metadata"]["ignoreNullValues"] == "false", "a lost Prometheus would end all workers"
    assert "replicas" not in objects["Deployment", "worker-h200"]["spec"]
    unscaled = rendered({**VALUES, "scaling": {"enabled": False}})
    assert unscaled["Deployment", "worker-cpu"]["spec"]["replicas"] == 10
    assert not any(kind == "ScaledObject" for kind, _ in unscaled)


def test_a_group_of_gpu_workers_gets_gpus_and_a_place() -> None:
    gpu, cpu = (pods(whole())[f"worker-{name}"] for name in ("h200", "cpu"))
    assert container(gpu)["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert gpu["tolerations"] == GPU["tolerations"]
    assert "nvidia.com/gpu" not in container(cpu)["resources"]["limits"]


def test_what_a_pod_fetches_does_not_fill_its_disk() -> None:
    for name in ("worker-h200", "training-cpu"):
        pod = pods(whole())[name]
        (cache,) = (v["emptyDir"]["sizeLimit"] for v in pod["volumes"] if v["name"] == "cache")
        (fetched,) = (v["value"] for v in container(pod)["env"] if v["name"] == "PRODGEN_CACHE_MB")
        assert cache == "50Gi"
        assert 50 * 1024 * 0.5 <= int(fetched) <= 50 * 1024 * 0.8


def test_there_is_never_a_second_beat() -> None:
    beat = whole()["Deployment", "beat"]["spec"]
    assert (beat["replicas"], beat["strategy"]) == (1, {"type": "Recreate"})


def test_every_service_and_scaler_points_to_pods_that_exist() -> None:
    objects = whole()
    labels = [
        o["spec"]["template"]["metadata"]["labels"] for (k, _), o in objects.items() if k == "Deployment"
    ]
    for (kind, name), one in objects.items():
        if kind in ("Service", "PodDisruptionBudget"):
            wanted = one["spec"]["selector"]
            wanted = wanted.get("matchLabels", wanted)
            assert sum(wanted.items() <= found.items() for found in labels) == 1, name
        if kind in ("ScaledObject", "HorizontalPodAutoscaler"):
            target = one["spec"]["scaleTargetRef"]["name"].removeprefix("shop-")
            assert ("Deployment", target) in objects


def test_what_no_policy_names_is_closed() -> None:
    policies = {name: one["spec"] for (kind, name), one in whole().items() if kind == "NetworkPolicy"}
    everyone = policies["shop"]
    assert everyone["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in everyone
    assert policies["flower"]["ingress"] == policies["workers"]["ingress"] == []
    (out,) = policies["webhooks"]["egress"]
    assert "169.254.0.0/16" in out["to"][0]["ipBlock"]["except"]
    [traces] = policies["traces"]["egress"]
    assert traces == {"to": [{"ipBlock": {"cidr": "10.0.0.7/32"}}], "ports": [{"port": 4318}]}
    assert not any(kind == "NetworkPolicy" for kind, _ in rendered({**VALUES, "network": {"enabled": False}}))
    assert not any("flower" in name for _, name in rendered(VALUES))

"""What TF_CONFIG may hold, and which error each fault has."""

from __future__ import annotations

import json
import pathlib
import re
import socket
import subprocess

import pytest
import yaml

from trainers.workers import cluster

HOSTS = ["host-a:2222", "host-b:2222"]


def config(workers=None, kind="worker", index=0, **more):
    return {
        "cluster": {"worker": HOSTS if workers is None else workers, **more},
        "task": {"type": kind, "index": index},
    }


def read(value):
    text = value if isinstance(value, str) else json.dumps(value)
    return cluster.from_environment({cluster.VARIABLE: text})


def test_the_configurations_of_the_guide_can_be_read():
    text = (pathlib.Path(__file__).parents[2] / "docs" / "workers.md").read_text()
    hosts = [read(one) for one in re.findall(r"^export TF_CONFIG='(.*)'$", text, re.MULTILINE)]
    assert [(one.addresses, one.number) for one in hosts] == [(tuple(HOSTS), i) for i in (0, 1)]
    (manifests,) = re.findall(r"^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    service, job = yaml.safe_load_all(manifests)
    name, pods = job["metadata"]["name"], job["spec"]["template"]["spec"]
    assert pods["subdomain"] == service["metadata"]["name"]
    assert service["spec"]["selector"] == {"job-name": name}
    (script,) = pods["containers"][0]["args"]
    for index in range(job["spec"]["completions"]):
        shown = script.partition("exec ")[0] + 'printf %s "$TF_CONFIG"'
        environment = {"JOB_COMPLETION_INDEX": str(index)}
        done = subprocess.run(["sh", "-c", shown], env=environment, capture_output=True, text=True)
        found = read(done.stdout)
        # The host of a pod of an indexed job is its name and number, in the subdomain of the service.
        assert found.addresses == tuple(f"{name}-{i}.{pods['subdomain']}:2222" for i in (0, 1))
        assert found.number == index


def test_the_chief_comes_first():
    found = read(config(index=1, chief=["host-c:1"]))
    assert found.addresses == ("host-c:1", *HOSTS) and found.number == 2
    assert read(config(kind="chief", chief=["host-c:1"])).number == 0
    assert read(config(index="1")).number == 1


@pytest.mark.parametrize(
    "value,message",
    [
        ("", "must be set for --distribute=multi_worker"),
        ("{'cluster'", "must be JSON, but is not"),
        ("[" * 100_000, "must be JSON, but is not"),
        ("[1]", "the objects 'cluster' and 'task'"),
        ({"cluster": {"worker": HOSTS}}, "the objects 'cluster' and 'task'"),
        (config(ps=["host-c:1"]), "may name tasks of the types chief and worker, not 'ps'"),
        (config(kind="evaluator"), "may name tasks of the types chief and worker, not 'evaluator'"),
        (config(kind=["worker"]), "may name tasks of the types chief and worker"),
        (config(index=2), "must have a task index from 0 to 1 for the type 'worker', not 2"),
        (config(index=-1), "must have a task index from 0 to 1"),
        (config(index=True), "must have a task index from 0 to 1"),
        (config(index=None), "must have a task index from 0 to 1"),
        (config(kind="chief"), "lists no such task for the type 'chief'"),
        (config(["host-a:2222"]), "must name at least two workers"),
        (config([*HOSTS, "host-a:2222"]), "must give every worker an address of its own"),
        (config(chief=["host-c:1", "host-d:1"]), "may name one chief"),
        (config(["host-a", "host-b:1"]), "must list the addresses of workers as 'host:port'"),
        (config(["host-a:0", "host-b:1"]), "must list the addresses of workers as 'host:port'"),
        (config(["host-a:x", "host-b:1"]), "must list the addresses of workers as 'host:port'"),
        (config("host-a:1"), "must list the addresses of workers as 'host:port'"),
    ],
)
def test_other_values_are_refused(value, message):
    with pytest.raises(
        ValueError, match=r"TF_CONFIG .*Set it as in .* Received: TF_CONFIG="
    ) as raised:
        read(value)
    assert message in str(raised.value) and len(str(raised.value)) < 900


def test_a_port_in_use_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = cluster.Cluster((f"127.0.0.1:{port}", "127.0.0.1:1"), 0)
        with pytest.raises(
            OSError, match=rf"^Worker 0 \(the chief, .*must be able to use port {port}\. Stop"
        ):
            found.check_port()
    found.check_port()


def test_the_connection_that_watches_needs_a_port_of_its_own():
    assert cluster.Cluster(("a:7", "b:8", "c:9"), 0).control == ("a", 10)
    assert cluster.Cluster(("a:7", "b:3"), 1).control == ("a", 8)

"""The zip of the API's function, as it would run: behind the emulator's gateways, on the machine.

The emulator's API Gateway writes the events, and hands them to the function that runs on the
imitated machine with the Python of its runtime; its store, bucket and queue are the emulator's. A
worker of another process does the work. Two minutes, most of which fetches and compiles packages.
"""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import httpx
import pytest
from PIL import Image

from tests.aws.test_api import HANDLER, PASSWORD, settings
from tests.support.buckets import bucket_server
from tests.support.functions import PYTHON, function, python_of_functions, runtime_packages
from tests.support.processes import Process

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[2]

TRUST = json.dumps({
    "Version": "2012-10-17",
    "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"Service": "lambda.amazonaws.com"},
    }],
})  # fmt: skip
SOURCES = ("src", "scripts", "requirements", "pyproject.toml", "README.md", "LICENSE")


@dataclass
class Sources:
    """A copy of what the zip is made of."""

    root: Path

    def built(self, output: Path) -> str:
        script = [sys.executable, "scripts/function_zip.py", "--python", PYTHON, "--output", output]
        done = subprocess.run(script, cwd=self.root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    root = tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, root / name)
    return Sources(root)


@pytest.fixture(scope="module")
def package(sources, tmp_path_factory):
    python_of_functions()
    output = tmp_path_factory.mktemp("zip") / "api.zip"
    print(sources.built(output))
    return output


@pytest.fixture(scope="module")
def unpacked(package, tmp_path_factory):
    folder = tmp_path_factory.mktemp("task")
    with zipfile.ZipFile(package) as archive:
        archive.extractall(folder)
    folder.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    """Where the runtime's own packages lie."""
    return runtime_packages(tmp_path_factory.mktemp("runtime"))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("aws")
    wanted = "s3,dynamodb,sqs,lambda,apigateway,apigatewayv2,iam,sts,logs"
    with bucket_server("ministack", folder, services=wanted) as found:
        yield found


@pytest.fixture(scope="module")
def given(server):
    return settings(server, "zipped")


@pytest.fixture(scope="module")
def run(given, unpacked, runtime, tmp_path_factory):
    with function(
        HANDLER, given, tmp_path_factory.mktemp("function"), task=unpacked, layer=runtime,
        python=python_of_functions(), memory_mb=1024,
    ) as found:  # fmt: skip
        yield found


@contextmanager
def forwarding(run):
    """Give the address at which the emulator finds the function."""
    alone = threading.Lock()

    class Forward(BaseHTTPRequestHandler):
        def log_message(self, *words):
            """Say nothing."""

        def do_POST(self):
            event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with alone:  # an execution environment has one event at a time
                body = json.dumps(run.invoke(event)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Forward)
    serving = threading.Thread(target=listener.serve_forever)
    serving.start()
    try:
        yield f"http://127.0.0.1:{listener.server_address[1]}/"
    finally:
        listener.shutdown()
        listener.server_close()
        serving.join()


class Emulator:
    """Makes what stands before the function."""

    def __init__(self, server, address: str) -> None:
        self.server = server
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("none.py", "")
        with self.client("iam") as roles, self.client("lambda") as functions:
            role = roles.create_role(RoleName="any", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
            made = functions.create_function(
                FunctionName="api", Runtime=f"python{PYTHON}", Handler=HANDLER, Timeout=30,
                Role=role, Code={"ZipFile": code.getvalue()},
                Environment={"Variables": {"MINISTACK_LAMBDA_PROXY_URL": address}},
            )  # fmt: skip
        self.arn = made["FunctionArn"]

    @contextmanager
    def client(self, service: str):
        found = boto3.client(
            service, endpoint_url=self.server.endpoint, region_name="us-east-1",
            aws_access_key_id="test", aws_secret_access_key="test",
        )  # fmt: skip
        try:
            yield found
        finally:
            found.close()

    def http(self, version: str) -> httpx.Client:
        """Return a client of an HTTP API that sends events of a version."""
        with self.client("apigatewayv2") as gateways:
            api = gateways.create_api(Name=f"http-{version}", ProtocolType="HTTP")["ApiId"]
            integration = gateways.create_integration(
                ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=self.arn,
                PayloadFormatVersion=version,
            )["IntegrationId"]  # fmt: skip
            gateways.create_route(
                ApiId=api, RouteKey="$default", Target=f"integrations/{integration}"
            )
            gateways.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
        base = f"{self.server.endpoint}/_aws/execute-api/{api}/$default"
        return httpx.Client(base_url=base, trust_env=False, timeout=60)

    def rest(self) -> httpx.Client:
        """Return a client of a REST API at a stage."""
        with self.client("apigateway") as gateways:
            api = gateways.create_rest_api(name="rest", binaryMediaTypes=["*/*"])["id"]
            (root,) = gateways.get_resources(restApiId=api)["items"]
            proxy = gateways.create_resource(
                restApiId=api, parentId=root["id"], pathPart="{proxy+}"
            )["id"]
            common = {"restApiId": api, "resourceId": proxy, "httpMethod": "ANY"}
            gateways.put_method(**common, authorizationType="NONE")
            place = f"lambda:path/2015-03-31/functions/{self.arn}/invocations"
            gateways.put_integration(
                **common, type="AWS_PROXY", integrationHttpMethod="POST",
                uri=f"arn:aws:apigateway:us-east-1:{place}",
            )  # fmt: skip
            gateways.create_deployment(restApiId=api, stageName="prod")
        host = {"host": f"{api}.execute-api.localhost:{self.server.port}"}
        base = f"{self.server.endpoint}/prod"
        return httpx.Client(base_url=base, headers=host, trust_env=False, timeout=60)


@pytest.fixture(scope="module")
def emulator(server, run):
    with forwarding(run) as address:
        yield Emulator(server, address)


@pytest.fixture(scope="module")
def worker(given, tmp_path_factory):
    folder = tmp_path_factory.mktemp("worker")
    given = {n.removeprefix("MEDIAMILL_").lower(): v for n, v in given.items()}
    process = Process("worker", folder / "home", slots=1, **given)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        os.environ.setdefault(name, "test")
    process.start()
    yield process
    process.end()


def test_it_may_be_deployed(package):
    """AWS counts 250 MB as 262,144,000 bytes; the smaller count holds too."""
    with zipfile.ZipFile(package) as archive:
        entries = archive.infolist()
    assert sum(entry.file_size for entry in entries) <= 250_000_000
    names = {entry.filename for entry in entries}
    assert not {name.partition("/")[0] for name in names} & {"cv2", "numpy", "uvicorn", "rich"}
    assert any(name.endswith("api.cpython-313.pyc") for name in names)
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}


def test_the_same_sources_give_the_same_bytes(sources, package, tmp_path):
    again = tmp_path / "again.zip"
    shutil.rmtree(sources.root / "build")
    sources.built(again)
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (package, again)}
    assert len(digests) == 1


def test_how_long_it_takes_to_start(run):
    """Report it, the table being there; there is no bound but Lambda's ten seconds."""
    for _ in range(3):
        run.kill()
        run.start()
        print(f"cold start {run.init_seconds:.2f} s, {processor_seconds():.2f} s of a processor")
        assert run.init_seconds < 10
    run.tell("freeze")


def processor_seconds() -> float:
    """Return what the runtime has taken so far."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            if HANDLER.encode() in stat.with_name("cmdline").read_bytes().split(b"\0"):
                ticks += sum(map(int, stat.read_text().rpartition(")")[2].split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("which", ["http-2.0", "http-1.0", "rest"])
def test_from_registering_to_the_results(emulator, worker, which):
    kind, _, version = which.partition("-")
    with emulator.http(version) if kind == "http" else emulator.rest() as client:
        through(client, f"{which.replace('.', '')}@example.org")


def through(client: httpx.Client, email: str) -> None:
    """Do what a user does."""

    def said(answer: httpx.Response, status: int) -> dict:
        assert answer.status_code == status, answer.text
        return answer.json()

    account = {"email": email, "password": PASSWORD}
    said(client.post("/v1/auth/register", json=account), 201)
    token = said(client.post("/v1/auth/login", json=account), 200)["token"]
    client.headers["authorization"] = f"Bearer {token}"
    data = os.urandom(50 << 20)
    begun = said(
        client.post("/v1/uploads/presigned", json={"filename": "fifty.bin", "size": len(data)}), 201
    )
    with httpx.Client(trust_env=False, timeout=60) as bucket:
        (part,) = begun["parts"]["data"]
        request = part["request"]
        sent = bucket.request(
            request["method"], request["url"], headers=request["headers"], content=data
        )
        assert sent.is_success, sent.text
        done = client.post(begun["links"]["complete"], params={"wait": 20})
        assert done.status_code in (200, 202), done.text
        large = f"/v1/files/{done.json()['id']}"
        while (file := said(client.get(large), 200))["state"] == "checking":
            time.sleep(0.5)
        assert (file["state"], file["size"]) == ("ready", len(data))
        there = client.get(f"{large}/content")
        assert there.status_code == 307, there.text
        assert bucket.get(there.headers["location"]).content == data
    made = io.BytesIO()
    Image.effect_noise((300, 200), 50).save(made, "PNG")
    png = {"content-type": "image/png"}  # REST APIs tell what is binary by its type
    small = client.post(
        "/v1/files", params={"name": "a b+ü.png"}, content=made.getvalue(), headers=png
    )
    assert said(small, 201)["name"] == "a b+ü.png"
    assert small.headers["location"].endswith(f"/v1/files/{small.json()['id']}")
    steps = [{"operation": "convert", "parameters": {"format": "webp"}}]
    job = said(client.post("/v1/jobs", json={"files": [small.json()["id"]], "steps": steps}), 202)
    place = f"/v1/jobs/{job['id']}"
    while (job := said(client.get(place, params={"wait": 10}), 200))["state"] == "running":
        pass
    assert job["state"] == "succeeded", job
    (result,) = said(client.get(f"{place}/results"), 200)["data"]
    assert result["files"][0]["media_type"] == "image/webp"
    whole = client.get(f"{place}/download")
    assert whole.status_code == 200
    with zipfile.ZipFile(io.BytesIO(whole.content)) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 2

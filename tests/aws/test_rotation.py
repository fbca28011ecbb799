"""The secret of links is rotated as Secrets Manager has it done, step by step, and again and again.

The emulator's own rotation calls no function: it promotes the old text. So these tests play that
part of the service: they say that a version is pending, and call each step at least twice.
"""

from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from mediamill.adapters.secrets.opening import read_settings
from mediamill.app import App
from mediamill.aws import rotation
from mediamill.aws.rotation import CURRENT, PENDING, Rotation
from mediamill.core import aws
from mediamill.core.errors import ConfigurationError, Conflict, Forbidden, InvalidInput
from mediamill.services.links.signing import Grant
from tests.aws.test_environment import Context
from tests.support.buckets import KEYS
from tests.support.rotating import Begun
from tests.support.secrets import REGION, judge, place, secret_server

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
FIRST = "the first secret of all"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with secret_server(tmp_path_factory.mktemp("keepers")) as server:
        yield server


@pytest.fixture
def name(server, monkeypatch):
    """A secret that is to be rotated."""
    for setting, value in {**KEYS, "AWS_DEFAULT_REGION": REGION}.items():
        monkeypatch.setenv(setting, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
    made = f"links-{uuid4().hex[:8]}"
    judge(server, "secretsmanager").create_secret(Name=made, SecretString=FIRST)
    return made


async def rotated(name, lost=()):
    """Rotate once, every step twice, and again where an answer was lost."""
    version = str(uuid4())
    async with aws.client("secretsmanager") as client:
        begun = Begun(client, version, lost)
        for step in STEPS:
            for _ in range(2):
                try:
                    await Rotation(begun, name, version).step(step)
                except TimeoutError:
                    await Rotation(begun, name, version).step(step)
    return begun


def stages(server, name):
    """Return the texts by their labels."""
    client = judge(server, "secretsmanager")
    found = {}
    for label in (CURRENT, "AWSPREVIOUS"):
        answer = client.get_secret_value(SecretId=name, VersionStage=label)
        found[label] = answer["SecretString"]
    return found


async def test_each_rotation_makes_one_new_secret_and_keeps_the_former(server, name):
    begun = await rotated(name)
    first = stages(server, name)
    assert first["AWSPREVIOUS"] == FIRST
    assert len(first[CURRENT]) >= 64
    assert begun.calls.count("put_secret_value") == 1
    assert begun.calls.count("update_secret_version_stage") == 1
    await rotated(name, lost=("put_secret_value", "update_secret_version_stage"))
    second = stages(server, name)
    assert second["AWSPREVIOUS"] == first[CURRENT]
    assert second[CURRENT] not in first.values()


async def opened(server, name, tmp_path):
    """Open a service as one that starts now."""
    where = place(server)
    return await App.open(await read_settings(
        home=tmp_path / "home",
        min_free_bytes=0,
        secret=f"${{secretsmanager:{name}?{where}}}",
        secret_previous=f"${{secretsmanager:{name}?{where}&stage=AWSPREVIOUS}}",
    ))  # fmt: skip


@pytest.mark.embedded("which store it has does not matter")
async def test_links_last_until_the_second_rotation_and_sealed_texts_for_good(
    server, name, tmp_path
):
    async with await opened(server, name, tmp_path) as mill:
        grant = Grant("GET", "file:x", "user_x", mill.clock.now() + 60_000)
        links = [await mill.links.signer.issue(grant)]
        sealed = await mill.parts.sealer.seal("whsec", "webhook/secret/1")
    for _ in range(2):
        await rotated(name)
        async with await opened(server, name, tmp_path) as mill:
            signer = mill.links.signer
            assert await signer.opened(links[-1], "GET") == grant
            links.append(await signer.issue(grant))
            assert links[-1] not in links[:-1]
            assert await mill.parts.sealer.open(sealed, "webhook/secret/1") == "whsec"
    async with await opened(server, name, tmp_path) as mill:
        assert await mill.links.signer.opened(links[1], "GET") == grant
        with pytest.raises(Forbidden):
            await mill.links.signer.opened(links[0], "GET")


async def test_what_is_not_being_rotated_stays_as_it_is(server, name):
    """Also when the function is called by somebody else."""
    async with aws.client("secretsmanager") as client:
        with pytest.raises(Conflict, match="not to be rotated"):
            await Rotation(client, name, str(uuid4())).step("createSecret")
        begun = Begun(client, str(uuid4()))
        with pytest.raises(Conflict, match="has no version"):
            await Rotation(begun, name, str(uuid4())).step("createSecret")
        with pytest.raises(InvalidInput, match="no step"):
            await Rotation(begun, name, begun._version).step("dropSecret")
        with pytest.raises(LookupError):
            await Rotation(begun, name, begun._version).step("testSecret")
    answer = judge(server, "secretsmanager").get_secret_value(SecretId=name)
    assert answer["SecretString"] == FIRST


async def test_a_version_that_services_could_not_use_is_not_made_the_current_one(server, name):
    """The planted faults: somebody put a text there that is too short, or the old one."""
    keeper = judge(server, "secretsmanager")
    for text, step, error in (
        ("short", "testSecret", ConfigurationError),
        (FIRST, "finishSecret", Conflict),
    ):
        version = str(uuid4())
        keeper.put_secret_value(
            SecretId=name, ClientRequestToken=version, SecretString=text, VersionStages=[PENDING]
        )
        async with aws.client("secretsmanager") as client:
            with pytest.raises(error):
                await Rotation(Begun(client, version), name, version).step(step)
    assert keeper.get_secret_value(SecretId=name)["SecretString"] == FIRST


async def test_the_trial_of_a_new_schedule_passes_and_changes_nothing(server, name):
    """Secrets Manager tests a schedule by one step, with the current text; what is left over is no
    hindrance to the rotations after it."""
    keeper, trial = judge(server, "secretsmanager"), str(uuid4())
    keeper.put_secret_value(
        SecretId=name, ClientRequestToken=trial, SecretString=FIRST, VersionStages=[PENDING]
    )
    async with aws.client("secretsmanager") as client:
        begun = Begun(client, trial)
        await Rotation(begun, name, trial).step("testSecret")
    assert not [call for call in begun.calls if call.startswith(("put", "update"))]
    assert keeper.get_secret_value(SecretId=name)["SecretString"] == FIRST
    await rotated(name)
    found = stages(server, name)
    assert found["AWSPREVIOUS"] == FIRST != found[CURRENT]


def test_the_handler_does_the_step_of_its_event(server, name, monkeypatch, capfd):
    """And raises what went wrong, so that it is called again; no text is logged."""
    monkeypatch.setattr(rotation, "Rotation", lambda client, *given: Rotation(
        Begun(client, version), *given
    ))  # fmt: skip
    version = str(uuid4())
    event = {"SecretId": name, "ClientRequestToken": version}
    for step in STEPS:
        rotation.handler({**event, "Step": step}, Context())
    found = stages(server, name)
    assert found["AWSPREVIOUS"] == FIRST
    assert not any(text in "".join(capfd.readouterr()) for text in found.values())
    with pytest.raises(ClientError):
        rotation.handler({**event, "SecretId": "nobody", "Step": "createSecret"}, Context())

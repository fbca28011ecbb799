"""References in settings: what is put in, how long it is believed, what is said when it is not."""

import asyncio
import json
from itertools import count

import pytest
import structlog

from mediamill.adapters.secrets import asking, file, reading
from mediamill.adapters.secrets.opening import SettingSources, read_settings
from mediamill.adapters.secrets.port import Reference
from mediamill.adapters.secrets.reading import Secrets
from mediamill.core.errors import ConfigurationError, Unavailable
from tests.support.gates import gate_to
from tests.support.secrets import judge, place

SECRET = "p/w@:%? #ä"
numbers = count()


class Hand:
    """Stands for the module `time`."""

    at = 1_000.0

    def monotonic(self):
        return self.at


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """What is waited for here is the keeper's answer, however busy the machine is."""
    monkeypatch.setattr(reading, "WAIT_SECONDS", 60.0)
    monkeypatch.setattr(reading, "RENEWAL_SECONDS", 60.0)


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves, by which secrets grow old."""
    made = Hand()
    monkeypatch.setattr(reading, "time", made)
    return made


@pytest.fixture
def kept(aws):
    """Keeps texts under a new name in each keeper; `create` returns the reference."""

    class Kept:
        def __init__(self):
            self.manager, self.ssm = judge(aws, "secretsmanager"), judge(aws, "ssm")
            self.name = f"mill/test-{next(numbers)}"

        def create(self, text, keeper="secretsmanager", port=0):
            if keeper == "ssm":
                self.ssm.put_parameter(Name=f"/{self.name}", Value=text, Type="SecureString")
                return f"${{ssm:/{self.name}?{place(aws, port)}}}"
            self.arn = self.manager.create_secret(Name=self.name, SecretString=text)["ARN"]
            return f"${{secretsmanager:{self.name}?{place(aws, port)}}}"

        def change(self, text, keeper="secretsmanager"):
            if keeper == "ssm":
                self.ssm.put_parameter(Name=f"/{self.name}", Value=text, Overwrite=True)
            else:
                self.manager.put_secret_value(SecretId=self.name, SecretString=text)

    return Kept()


async def filled(text, setting="MEDIAMILL_STORE_URL"):
    return await Secrets().of(text, setting).current()


async def test_each_keeper_puts_its_secret_in(kept, tmp_path):
    (tmp_path / "pw").write_text(f"{SECRET}\n")
    for reference in (kept.create(SECRET), kept.create(SECRET, "ssm"), f"${{file:{tmp_path}/pw}}"):
        assert await filled(reference) == SECRET
        url = await filled(f"postgresql://mill:{reference}@db/mill")
        assert url == "postgresql://mill:p%2Fw%40%3A%25%3F%20%23%C3%A4@db/mill"
        assert await filled(f"x {reference}", "MEDIAMILL_SECRET") == f"x {SECRET}"
    assert await filled("a://b:$c{d}") == "a://b:$c{d}"


async def test_a_value_of_a_json_object(kept, tmp_path):
    reference = kept.create(json.dumps({"username": "mill", "password": SECRET, "port": 5432}))
    name, user = (reference[:-1] + f"#{key}}}" for key in ("password", "username"))
    port = reference[:-1] + "#port}"
    assert await filled(f"p://{user}:{name}@db:{port}/x") == (
        "p://mill:p%2Fw%40%3A%25%3F%20%23%C3%A4@db:5432/x"
    )
    (tmp_path / "json").write_text('{"a": {"b": 1}, "yes": true}')
    for key in ("a", "yes", "none"):
        with pytest.raises(ConfigurationError, match=f"no text or number “{key}”"):
            await filled(f"${{file:{tmp_path}/json#{key}}}")


async def test_by_its_arn_and_by_stage(kept, aws):
    reference = kept.create("one")
    previous = reference[:-1] + "&stage=AWSPREVIOUS}"
    assert await filled(previous) == ""  # it was never rotated
    kept.change("two")
    assert await filled(reference) == "two"
    assert await filled(previous) == "one"
    endpoint = place(aws).partition("&")[2]
    assert await filled(f"${{secretsmanager:{kept.arn}?{endpoint}}}") == "two"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("${vault:x}", "Known: file, secretsmanager, ssm"),
        ("${file:relative}", "absolute"),
        ("${file:/none/such}", "No such file"),
        ("${file:/}", "Is a directory"),
        ("${secretsmanager:mill/none?REGION}", "no such secret in us-east-1"),
        ("${ssm:/mill/none?REGION}", "no such parameter in us-east-1"),
        ("${ssm:/mill/none?REGION&stage=x}", "no option stage"),
        ("${ssm:/mill/none}", "region=…"),
        ("${ssm:/mill/none?region=a&endpoint=http://aws.example}", "allow_plaintext=true"),
        ("${ssm:/mill/none?region=a&endpoint=gopher://aws.example}", "endpoint is an address"),
        ("${secretsmanager:no such name?REGION}", ""),
    ],
)
async def test_what_cannot_be_read_names_the_setting(aws, text, said, monkeypatch):
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    with pytest.raises(ConfigurationError, match="MEDIAMILL_MAIL_URL") as refused:
        await filled(text.replace("REGION", place(aws)), "MEDIAMILL_MAIL_URL")
    assert said in refused.value.message


async def test_without_credentials(keepers, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with pytest.raises(ConfigurationError, match="no AWS credentials"):
        await filled(f"${{ssm:/x?{place(keepers)}}}")


async def test_it_is_asked_again_in_time(kept, aws, clock):
    async with gate_to(aws.port) as gate:
        secret = Secrets(0.5).of(kept.create("one", port=gate.port), "MEDIAMILL_MAIL_URL")
        for _ in range(10):
            assert await secret.current() == "one"
        assert gate.passed == 1
        kept.change("two")
        assert await secret.current() == "one"  # it is believed for a while
        clock.at += 0.6
        assert await secret.current() == "two"


async def test_a_refused_secret_is_asked_for_at_once_but_not_all_the_time(
    kept, aws, clock, monkeypatch
):
    monkeypatch.setattr(reading, "PAUSE_SECONDS", 0.5)
    async with gate_to(aws.port) as gate:
        secret = Secrets().of(kept.create("one", port=gate.port), "MEDIAMILL_MAIL_URL")
        assert await secret.current() == "one"
        kept.change("two")
        clock.at += 0.6
        renewed = await asyncio.gather(*(secret.renewed() for _ in range(50)))
        assert set(renewed) == {"two"}
        assert await secret.current() == "two"
        assert gate.passed == 2
        kept.change("three")
        for _ in range(20):
            assert await secret.renewed() == "two"
        assert gate.passed == 2
        clock.at += 0.6
        assert await secret.renewed() == "three"


async def test_what_is_known_counts_while_its_keeper_is_away(kept, aws, clock, monkeypatch):
    monkeypatch.setattr(reading, "RETRY_SECONDS", 0.2)
    monkeypatch.setattr(asking, "SECONDS", 60.0)
    async with gate_to(aws.port) as gate:
        reference = kept.create("one", port=gate.port)
        secret = Secrets(0.1).of(reference, "MEDIAMILL_MAIL_URL")
        assert await secret.current() == "one"
        gate.close()
        clock.at += 0.2
        with structlog.testing.capture_logs() as logs:
            for _ in range(5):
                assert await secret.current() == await secret.renewed() == "one"
        assert [entry["action"] for entry in logs] == ["secret_away"]
        assert "one" not in str(logs)
        with pytest.raises(Unavailable, match="MEDIAMILL_MAIL_URL"):
            await filled(reference, "MEDIAMILL_MAIL_URL")
        gate.open()
        kept.change("two")
        clock.at += 0.3
        assert await secret.current() == "two"


async def test_a_file_that_is_replaced_counts_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(file.FileKeeper, "holds_seconds", 0.05)
    monkeypatch.setattr(reading, "PAUSE_SECONDS", 0.0)
    secret = Secrets().of(f"${{file:{tmp_path}/pw}}", "MEDIAMILL_MAIL_URL")
    (tmp_path / "pw").write_text("one")
    assert await secret.current() == "one"
    (tmp_path / "new").write_text("two\r\n")
    (tmp_path / "new").replace(tmp_path / "pw")
    assert await secret.renewed() == "two"
    (tmp_path / "pw").unlink()
    assert await secret.renewed() == "two"  # between two versions there may be none


async def test_what_is_known_counts_while_its_keeper_is_silent(monkeypatch):
    monkeypatch.setattr(reading, "WAIT_SECONDS", 0.05)
    monkeypatch.setattr(reading, "RENEWAL_SECONDS", 0.05)
    monkeypatch.setattr(reading, "PAUSE_SECONDS", 0.0)

    class Keeper:
        holds_seconds = None

        def __init__(self):
            self.text, self.asked, self.answers = "one", 0, asyncio.Event()

        async def read(self, reference):
            self.asked += 1
            await self.answers.wait()
            return self.text

    secrets, keeper = Secrets(0.0), Keeper()
    secrets._keepers["ssm"] = keeper
    secret = secrets.of("${ssm:/x}", "MEDIAMILL_STORE_URL")
    keeper.answers.set()
    assert await secret.current() == "one"
    keeper.answers.clear()
    keeper.text = "two"
    for ask in (secret.current, secret.renewed) * 3:
        assert await ask() == "one"
    assert keeper.asked == 2  # the same question is waited for
    keeper.answers.set()
    await asyncio.sleep(0.01)
    assert await secret.current() == "two"
    keeper.answers.clear()
    await secret.current()
    asking = secrets._held[Reference("ssm", "/x")].asking
    await secrets.close()
    assert asking.cancelled()


async def test_strangers_have_no_keeper_asked_all_the_time(tmp_path, clock, monkeypatch):
    monkeypatch.setattr(file.FileKeeper, "holds_seconds", None)
    (tmp_path / "pw").write_text("one")
    secret = Secrets().of(f"${{file:{tmp_path}/pw}}", "MEDIAMILL_SECRET")
    assert await secret.current() == "one"
    (tmp_path / "pw").write_text("two")
    assert await secret.renewed() == "one"  # it was read a moment ago


def test_no_text_of_it_shows_the_secret(tmp_path):
    (tmp_path / "pw").write_text(SECRET)
    secrets = Secrets()
    secret = secrets.of(f"${{file:{tmp_path}/pw}}", "MEDIAMILL_MAIL_URL")
    assert asyncio.run(secret.current()) == SECRET
    for thing in (secrets, vars(secrets), secret, vars(secret), secret.template):
        assert SECRET not in repr(thing)


# -- settings -------------------------------------------------------------------------------------


async def test_settings_of_all_kinds(tmp_path, monkeypatch):
    for name, text in {"url": f"postgresql://u:{SECRET[:3]}@127.0.0.1/x", "n": "7\n",
                       "secret": "a secret of the test's own"}.items():  # fmt: skip
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("MEDIAMILL_STORE_URL", f"${{file:{tmp_path}/url}}")
    monkeypatch.setenv("MEDIAMILL_SLOTS", f"${{file:{tmp_path}/n}}")
    monkeypatch.setenv("MEDIAMILL_SECRET", f"${{file:{tmp_path}/secret}}")
    settings = await read_settings(home=tmp_path)
    assert settings.store_url == (tmp_path / "url").read_text()
    assert (settings.slots, settings.broker_url, settings.several) == (7, "postgresql:", True)
    assert settings.secret.get_secret_value() == "a secret of the test's own"
    for text in (repr(settings), str(settings), f"{settings}"):
        assert SECRET[:3] not in text
        assert "own" not in text
    moved = settings.model_copy(update={"port": 1})
    sources = SettingSources(moved)
    (tmp_path / "secret").write_text("another secret of the test")
    assert await sources.of("secret").current() == "another secret of the test"
    assert await sources.of("broker_url").current() == "postgresql:"
    assert await sources.of("blobs_url").current() == settings.blobs_url


async def test_home_is_never_elsewhere(tmp_path):
    with pytest.raises(ConfigurationError, match="MEDIAMILL_HOME"):
        await read_settings(home=f"${{file:{tmp_path}/x}}")


def test_references_are_compared_by_all_that_they_say():
    assert Reference("a", "b", {"x": "1"}) == Reference("a", "b", {"x": "1"})
    assert Reference("a", "b", {"x": "1"}) != Reference("a", "b", {"x": "2"})
    assert hash(Reference("a", "b", {"x": "1"})) == hash(Reference("a", "b", {"x": "2"}))

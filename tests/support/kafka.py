"""A real Kafka broker in KRaft mode on 127.0.0.1: one node, which is its own controller.

It listens in the clear, with SCRAM over TLS, for bearers of (unsigned) tokens, and for itself.
"""

import base64
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.certificates import Certificates, certificates
from tests.support.daemons import Daemon
from tests.support.maven import library
from tests.support.processes import free_port

POM = Path(__file__).parent / "kafka_broker" / "pom.xml"
USER, PASSWORD = "mill", "correct/horse:battery"
BIGGEST = 20 << 20
"""Bytes of a message."""
SESSION_MS = 2000
"""After which who came with SCRAM-SHA-512 must come anew."""
JAVA = ["java", "-Xmx640m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]

PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners={advertised},CONTROL://127.0.0.1:{controller}
advertised.listeners={advertised}
listener.security.protocol.map=CLEAR:PLAINTEXT,SECURE:SASL_SSL,TOKEN:SASL_PLAINTEXT,CONTROL:PLAINTEXT
inter.broker.listener.name=CLEAR
controller.listener.names=CONTROL
listener.name.secure.sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512
listener.name.secure.scram-sha-256.sasl.jaas.config={login};
listener.name.secure.scram-sha-512.sasl.jaas.config={login};
listener.name.secure.scram-sha-512.connections.max.reauth.ms={session}
listener.name.token.sasl.enabled.mechanisms=OAUTHBEARER
listener.name.token.oauthbearer.sasl.jaas.config={bearer};
listener.name.secure.ssl.keystore.type=PEM
listener.name.secure.ssl.keystore.location={folder}/keystore.pem
log.dirs={folder}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
auto.create.topics.enable=false
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
super.users=User:ANONYMOUS
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=400
message.max.bytes={biggest}
log.cleaner.enable=false
"""
LOGGING = """
<Configuration status="error">
  <Appenders><Console name="out"><PatternLayout pattern="%d %p %c: %m%n"/></Console></Appenders>
  <Loggers><Root level="warn"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
"""


@dataclass
class Kafka:
    """The broker: where it listens in the clear, with TLS and a password, and for tokens."""

    daemon: Daemon
    port: int
    secure_port: int
    token_port: int
    trust: Certificates

    @property
    def brokers(self) -> str:
        return f"127.0.0.1:{self.port}"

    def restart(self) -> None:
        """End it as a power failure would, and start it on the same data and ports."""
        self.daemon.kill()
        self.daemon.start()


@contextmanager
def kafka_server(folder: Path) -> Iterator[Kafka]:
    """Run a broker for the length of the block; without Java or Maven it skips, or fails in CI."""
    jars = library("kafka", POM)
    folder.mkdir(parents=True, exist_ok=True)
    clear, secure, token, controller = (free_port() for _ in range(4))
    trust = certificates(folder / "certificates")
    keystore = trust.key.read_text() + trust.certificate.read_text()
    (folder / "keystore.pem").write_text(keystore)
    login = "org.apache.kafka.common.security.scram.ScramLoginModule required"
    bearer = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required"
    ports = {"CLEAR": clear, "SECURE": secure, "TOKEN": token}
    names = {
        "advertised": ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items()),
        "controller": controller,
        "folder": folder,
        "bearer": f'{bearer} unsecuredLoginStringClaim_sub="broker"',
    }
    settings = folder / "server.properties"
    settings.write_text(
        PROPERTIES.format(**names, login=login, biggest=BIGGEST, session=SESSION_MS)
    )
    logging = folder / "logging.xml"
    logging.write_text(LOGGING)
    java = [*JAVA, f"-Dlog4j2.configurationFile={logging}", "-cp", f"{jars}/*"]
    _format(java, settings)
    daemon = Daemon([*java, "kafka.Kafka", str(settings)], clear, folder)
    try:
        daemon.start()
        yield Kafka(daemon, clear, secure, token, trust)
    finally:
        daemon.kill()


def _format(java: list[str], settings: Path) -> None:
    """Make the storage, with one user in it."""
    random = b"\0" + uuid.uuid4().bytes[1:]  # begins with a letter: "-" would begin an option
    cluster = base64.urlsafe_b64encode(random).rstrip(b"=").decode()
    users = [
        part
        for kind in ("SCRAM-SHA-256", "SCRAM-SHA-512")
        for part in ("--add-scram", f'{kind}=[name="{USER}",password="{PASSWORD}"]')
    ]
    command = [*java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(settings)]
    done = subprocess.run(
        [*command, *users], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr

"""A real Kafka broker in KRaft mode on 127.0.0.1: one node, which is its own controller.

It listens three times: in the clear, with SCRAM over TLS, and for its controller.
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
JAVA = ["java", "-Xmx640m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]

PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=CLEAR://127.0.0.1:{clear},SECURE://127.0.0.1:{secure},CONTROL://127.0.0.1:{controller}
advertised.listeners=CLEAR://127.0.0.1:{clear},SECURE://127.0.0.1:{secure}
listener.security.protocol.map=CLEAR:PLAINTEXT,SECURE:SASL_SSL,CONTROL:PLAINTEXT
inter.broker.listener.name=CLEAR
controller.listener.names=CONTROL
listener.name.secure.sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512
listener.name.secure.scram-sha-256.sasl.jaas.config={login};
listener.name.secure.scram-sha-512.sasl.jaas.config={login};
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
    """The broker: where it listens in the clear, and where with TLS and a password."""

    daemon: Daemon
    port: int
    secure_port: int
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
    clear, secure, controller = free_port(), free_port(), free_port()
    trust = certificates(folder / "certificates")
    keystore = trust.key.read_text() + trust.certificate.read_text()
    (folder / "keystore.pem").write_text(keystore)
    login = "org.apache.kafka.common.security.scram.ScramLoginModule required"
    names = {"clear": clear, "secure": secure, "controller": controller, "folder": folder}
    settings = folder / "server.properties"
    settings.write_text(PROPERTIES.format(**names, login=login, biggest=BIGGEST))
    logging = folder / "logging.xml"
    logging.write_text(LOGGING)
    java = [*JAVA, f"-Dlog4j2.configurationFile={logging}", "-cp", f"{jars}/*"]
    _format(java, settings)
    daemon = Daemon([*java, "kafka.Kafka", str(settings)], clear, folder)
    try:
        daemon.start()
        yield Kafka(daemon, clear, secure, trust)
    finally:
        daemon.kill()


def _format(java: list[str], settings: Path) -> None:
    """Make the storage, with one user in it."""
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
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

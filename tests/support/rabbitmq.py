"""A real RabbitMQ on 127.0.0.1, with a node name, folders and an epmd of its own."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.brokers import Broker
from tests.support.certificates import certificates
from tests.support.daemons import Daemon, program
from tests.support.processes import free_port

USER, PASSWORD = "mill", "s3cret/rabbit@1"
SCRIPT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""Debian's own goes to the system's folders and user, this one where its variables say."""
ARGUMENTS = (
    "-noinput -kernel inet_dist_use_interface {127,0,0,1} "
    "+sbwt none +sbwtdcpu none +sbwtdio none"  # it does not spin while it has nothing to do
)
CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{port}
listeners.ssl.1 = 127.0.0.1:{tls}
ssl_options.cacertfile = {made.authority}
ssl_options.certfile = {made.certificate}
ssl_options.keyfile = {made.key}
default_user = {user}
default_pass = {password}
log.file = false
log.console = true
log.console.level = warning
"""


@contextmanager
def rabbitmq_server() -> Iterator[Broker]:
    """Run a server; skips, or fails where services are required."""
    script = str(SCRIPT) if SCRIPT.exists() else program("rabbitmq-server", "rabbitmq-server")
    epmd = program("epmd", "erlang-base")
    with tempfile.TemporaryDirectory(prefix="mediamill-rabbitmq-") as name:
        folder, port, tls, names = Path(name), free_port(), free_port(), free_port()
        made = certificates(folder)
        words = {"port": port, "tls": tls, "made": made, "user": USER, "password": PASSWORD}
        (folder / "rabbitmq.conf").write_text(CONFIGURATION.format(**words))
        (folder / "plugins").write_text("[].\n")
        environment = {
            "HOME": name,
            "ERL_EPMD_PORT": str(names),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"mediamill{port}@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ARGUMENTS,
            "RABBITMQ_ALLOW_INPUT": "1",  # the script becomes the server instead of waiting for it
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": name,
            "RABBITMQ_LOG_BASE": name,
            "RABBITMQ_PID_FILE": str(folder / "pid"),
        }
        register = Daemon(
            [epmd, "-port", str(names), "-address", "127.0.0.1"], names, folder, environment
        )
        server = Daemon([script], port, folder, environment)
        try:
            register.start()
            server.start()
            yield Broker("amqp", "amqps", server, tls, made, USER, PASSWORD)
        finally:
            server.kill()  # nothing of it is kept
            register.end()


def rabbitmqctl(broker: Broker, *words: str) -> None:
    """Tell a server something by its own tool."""
    tool = SCRIPT.with_name("rabbitmqctl")
    found = str(tool) if tool.exists() else program("rabbitmqctl", "rabbitmq-server")
    told = {**os.environ, **broker.daemon.environment}
    told.pop("RABBITMQ_DIST_PORT")  # the server's own
    subprocess.run([found, *words], env=told, check=True, capture_output=True, timeout=60)

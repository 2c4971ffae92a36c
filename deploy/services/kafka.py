"""Apache Kafka, one node in KRaft mode: a plain listener and one that asks for a password."""

import base64
import secrets
import signal
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path

from deploy.services import install
from deploy.services.ports import HOST, Port
from deploy.services.probes import kafka_has_broker, kafka_speaks
from deploy.services.terminal import ServiceError

POM = "kafka.pom.xml"
USER = "sluice"

# Rebalance delay 0: a group of one need not wait 3 s for others. Small internal topics and few
# threads: this is one node on a developer's machine. Topics are created explicitly, as in production.
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=PLAINTEXT://{host}:{plain},SASL_PLAINTEXT://{host}:{sasl},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{plain},SASL_PLAINTEXT://{host}:{sasl}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
log.dirs={data}/log
num.partitions=8
auto.create.topics.enable=false
message.max.bytes=33554432
replica.fetch.max.bytes=33554432
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=16777216
num.network.threads=2
num.io.threads=2
"""


class Kafka:
    """Jars by Maven, so that nothing but Java is needed of the system."""

    name = "kafka"
    ports = (
        Port("plain", "KAFKA_PORT", 19092),
        Port("controller", "KAFKA_CONTROLLER_PORT", 19093),
        Port("sasl", "KAFKA_SASL_PORT", 19094),
    )
    stop_signal = signal.SIGTERM

    def install(self) -> None:
        install.program("java", "openjdk-17-jre-headless")
        self._libraries()

    def command(self, data: Path, ports: Mapping[str, int]) -> list[str]:
        properties = data / "server.properties"
        properties.touch(mode=0o600)
        properties.write_text(
            PROPERTIES.format(host=HOST, data=data, user=USER, password=_password(data), **ports)
        )
        java = [install.program("java"), "-cp", f"{self._libraries()}/*"]
        if not (data / "log" / "meta.properties").exists():
            cluster = base64.urlsafe_b64encode(uuid.UUID(int=secrets.randbits(128)).bytes)
            _format(java, properties, cluster.decode().rstrip("="))
        flags = ["-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-Djava.awt.headless=true"]
        flags.append("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
        return [*java, *flags, "kafka.Kafka", str(properties)]

    def answers(self, ports: Mapping[str, int]) -> bool:
        return kafka_has_broker(ports["plain"]) and kafka_speaks(ports["sasl"])

    def endpoints(self, data: Path, ports: Mapping[str, int]) -> dict[str, str]:
        # TEST in the names of user and password: a program that loads the file whole must not take
        # them for its own KAFKA_SASL_USERNAME while it talks to the plain listener.
        return {
            "KAFKA_BOOTSTRAP_SERVERS": f"{HOST}:{ports['plain']}",
            "KAFKA_SASL_BOOTSTRAP_SERVERS": f"{HOST}:{ports['sasl']}",
            "KAFKA_SASL_TEST_USERNAME": USER,
            "KAFKA_SASL_TEST_PASSWORD": _password(data),
        }

    def _libraries(self) -> Path:
        return install.cached("kafka", [POM], lambda folder: install.maven_libraries(POM, folder))


def _password(data: Path) -> str:
    """Generated once for each data folder."""
    file = data / "password"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_hex(16))
    return file.read_text()


def _format(java: list[str], properties: Path, cluster: str) -> None:
    tool = [*java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties)]
    done = subprocess.run(tool, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ServiceError(f"Kafka's log folder could not be formatted:\n{done.stderr[-2000:]}")

"""Apache Kafka, one node in KRaft mode: listeners without security, with a password, with TLS, with both."""

import base64
import secrets
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from deploy.services import install
from deploy.services.ports import HOST, Port
from deploy.services.probes import kafka_has_broker, kafka_speaks
from deploy.services.terminal import ServiceError

POM = "kafka.pom.xml"
USER = "sluice"
QUICK_START = "-XX:TieredStopAtLevel=1"  # no second, better compilation

# Rebalance delay 0: a group of one need not wait 3 s for others. Broker session: after kill -9 the
# controller refuses the broker's next incarnation until the old one's session is over. Small
# internal topics and few threads: this is one node on a developer's machine. Topics are created
# explicitly, as in production.
PROPERTIES = r"""process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners={public},CONTROLLER://{host}:{controller}
advertised.listeners={public}
controller.listener.names=CONTROLLER
listener.security.protocol.map=\
CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl_plaintext.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.ssl.ssl.keystore.location={data}/keys.p12
listener.name.ssl.ssl.keystore.type=PKCS12
listener.name.ssl.ssl.keystore.password={password}
listener.name.ssl.ssl.key.password={password}
listener.name.sasl_ssl.sasl.enabled.mechanisms=PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
listener.name.sasl_ssl.ssl.keystore.location={data}/keys.p12
listener.name.sasl_ssl.ssl.keystore.type=PKCS12
listener.name.sasl_ssl.ssl.keystore.password={password}
listener.name.sasl_ssl.ssl.key.password={password}
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
broker.session.timeout.ms=5000
broker.heartbeat.interval.ms=1000
log.cleaner.dedupe.buffer.size=16777216
num.network.threads=2
num.io.threads=2
"""


class Kafka:
    """Jars by Maven, so that nothing but Java is needed of the system.

    `java_flags` come behind ours. QUICK_START halves the CPU of a start, and costs a broker that lives
    for long.
    """

    name = "kafka"
    ports = (
        Port("plain", "KAFKA_PORT", 19092),
        Port("controller", "KAFKA_CONTROLLER_PORT", 19093),
        Port("sasl", "KAFKA_SASL_PORT", 19094),
        Port("ssl", "KAFKA_SSL_PORT", 19095),
        Port("sasl_ssl", "KAFKA_SASL_SSL_PORT", 19096),
    )
    stop_signal = signal.SIGTERM

    def __init__(self, *java_flags: str) -> None:
        self._java_flags = java_flags

    def install(self) -> None:
        install.program("java", "openjdk-17-jre-headless")
        self._libraries()

    def command(self, data: Path, ports: Mapping[str, int]) -> list[str]:
        properties = data / "server.properties"
        properties.touch(mode=0o600)
        properties.write_text(_properties(data, ports))
        if not (data / "keys.p12").exists():
            _make_keys(data)
        java = [install.program("java"), "-cp", f"{self._libraries()}/*"]
        if not (data / "log" / "meta.properties").exists():
            _format([*java, QUICK_START], data)
        flags = ["-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-Djava.awt.headless=true"]
        flags.append("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
        return [*java, *flags, *self._java_flags, "kafka.Kafka", str(properties)]

    def answers(self, ports: Mapping[str, int]) -> bool:
        return kafka_has_broker(ports["plain"]) and kafka_speaks(ports["sasl"])

    def endpoints(self, data: Path, ports: Mapping[str, int]) -> dict[str, str]:
        # TEST in the names: a program that loads the file whole must not take them for its own
        # KAFKA_SASL_USERNAME and KAFKA_SSL_CAFILE while it talks to the plain listener.
        return {
            "KAFKA_BOOTSTRAP_SERVERS": f"{HOST}:{ports['plain']}",
            "KAFKA_SASL_BOOTSTRAP_SERVERS": f"{HOST}:{ports['sasl']}",
            "KAFKA_SASL_TEST_USERNAME": USER,
            "KAFKA_SASL_TEST_PASSWORD": _password(data),
            "KAFKA_SSL_BOOTSTRAP_SERVERS": f"{HOST}:{ports['ssl']}",
            "KAFKA_SSL_TEST_CAFILE": str(data / "ca.pem"),
            "KAFKA_SASL_SSL_BOOTSTRAP_SERVERS": f"{HOST}:{ports['sasl_ssl']}",
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


def _properties(data: Path, ports: Mapping[str, int]) -> str:
    protocols = {
        "plain": "PLAINTEXT",
        "sasl": "SASL_PLAINTEXT",
        "ssl": "SSL",
        "sasl_ssl": "SASL_SSL",
    }
    public = ",".join(f"{protocols[name]}://{HOST}:{ports[name]}" for name in protocols)
    return PROPERTIES.format(
        host=HOST,
        public=public,
        controller=ports["controller"],
        data=data,
        user=USER,
        password=_password(data),
    )


def _make_keys(data: Path) -> None:
    """A certificate that signs itself, so that it is its own CA file for the clients."""
    tool = install.program("keytool", "openjdk-17-jre-headless")
    store = ["-alias", "kafka", "-storetype", "PKCS12", "-storepass", _password(data)]
    store += ["-keystore", str(data / "keys.p12")]
    subject = [
        "-dname",
        "CN=localhost",
        "-ext",
        f"san=ip:{HOST},dns:localhost",
        "-ext",
        "bc=ca:true",
    ]
    key = ["-keyalg", "EC", "-groupname", "secp256r1", "-validity", "3650"]
    _checked([tool, "-genkeypair", *store, *subject, *key])
    _checked([tool, "-exportcert", "-rfc", "-file", str(data / "ca.pem"), *store])


def _format(java: list[str], data: Path) -> None:
    cluster = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
    # A leading dash would be taken for an option.
    tool = [*java, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}"]
    tool += ["-c", str(data / "server.properties")]
    for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
        tool += ["--add-scram", f"{mechanism}=[name={USER},password={_password(data)}]"]
    _checked(tool)


def _checked(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ServiceError(f"{command[0]} failed:\n{(done.stdout + done.stderr)[-2000:]}")

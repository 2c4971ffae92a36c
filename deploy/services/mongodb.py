"""MongoDB's protocol by mongo-java-server on H2: no real mongod can be had without containers."""

import signal
from collections.abc import Mapping
from pathlib import Path

from deploy.services import install
from deploy.services.ports import HOST, Port
from deploy.services.probes import mongodb_answers

POM = "mongodb.pom.xml"
SOURCE = "MongoServerMain.java"
DATABASE = "sluice"


class MongoDB:
    """Right answers for plain commands and aggregations; no authentication, no TTL, no transactions.

    docker-compose.yml has the real one.
    """

    name = "mongodb"
    ports = (Port("mongodb", "MONGODB_PORT", 17017),)
    # H2 writes every 100 ms and once more when it is told to stop: kill -9 may lose what came last.
    stop_signal = signal.SIGTERM

    def install(self) -> None:
        install.program("java", "openjdk-17-jre-headless")
        self._built()

    def command(self, data: Path, ports: Mapping[str, int]) -> list[str]:
        classes = f"{self._built()}:{self._built()}/lib/*"
        flags = ["-Xmx1g", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
        server = ["MongoServerMain", HOST, str(ports["mongodb"]), str(data / "db.mv")]
        return [install.program("java"), *flags, "-cp", classes, *server]

    def answers(self, ports: Mapping[str, int]) -> bool:
        return mongodb_answers(ports["mongodb"])

    def endpoints(self, data: Path, ports: Mapping[str, int]) -> dict[str, str]:
        return {"MONGODB_URL": f"mongodb://{HOST}:{ports['mongodb']}/{DATABASE}"}

    def _built(self) -> Path:
        return install.cached("mongodb", [POM, SOURCE], _build)


def _build(folder: Path) -> None:
    install.maven_libraries(POM, folder / "lib")
    install.compile_java(SOURCE, folder / "lib", folder)

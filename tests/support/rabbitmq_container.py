"""RabbitMQ in a container, for machines that have Docker and no RabbitMQ. The same verbs as the private node."""

from __future__ import annotations

import shutil
import socket
import subprocess

from noonday_shared.clock import SystemClock, wait_until
from support.ports import free_port

IMAGE = "rabbitmq:3.13-alpine"


def docker_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    asked = subprocess.run(["docker", "version"], capture_output=True, timeout=20, check=False)
    return asked.returncode == 0


class RabbitContainer:
    def __init__(self) -> None:
        from testcontainers.core.container import DockerContainer  # noqa: PLC0415 -- needs Docker to import

        self._port = free_port()
        self._container = DockerContainer(IMAGE).with_bind_ports(5672, self._port)
        # guest may come from loopback only, and through the bridge nobody does.
        self._container.with_env("RABBITMQ_DEFAULT_USER", "noonday").with_env("RABBITMQ_DEFAULT_PASS", "noonday")
        self._made = False

    @property
    def url(self) -> str:
        return f"amqp://noonday:noonday@{self._host}:{self._port}/%2F"

    def start(self) -> None:
        if self._made:
            self._container.get_wrapped_container().start()
        else:
            self._container.start()
            self._made = True
        wait_until(self._answers, what=f"RabbitMQ in {IMAGE}", within=90.0, clock=SystemClock())

    def stop(self) -> None:
        self._container.get_wrapped_container().stop()

    def kill(self) -> None:
        self._container.get_wrapped_container().kill()

    def wipe(self) -> None:
        self.close()
        self.start()

    def close(self) -> None:
        if self._made:
            self._container.stop()
            self._made = False

    def ctl(self, *args: str) -> str:
        status, output = self._container.get_wrapped_container().exec_run(["rabbitmqctl", "--quiet", *args])
        if status != 0:
            raise AssertionError(f"rabbitmqctl {' '.join(args)}: {output.decode()}")
        words: str = output.decode()
        return words

    @property
    def _host(self) -> str:
        host: str = self._container.get_container_host_ip()
        return host

    def _answers(self) -> bool:
        try:
            with socket.create_connection((self._host, self._port), timeout=2.0) as link:
                link.settimeout(2.0)
                link.sendall(b"AMQP\x00\x00\x09\x01")
                return link.recv(1) == b"\x01"
        except OSError:
            return False

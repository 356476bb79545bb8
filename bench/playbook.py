"""The same release with ansible-playbook: drain, switch, restart, health, enable, one server after the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bench import peers
from bench.sshd import PrivateSshd
from examples.webshop.server import APP
from examples.webshop.world import World
from noonday_shared.errors import Temporary

_WITHIN = 300.0

_PLAYBOOK = f"""\
- hosts: web
  serial: 1
  gather_facts: false
  tasks:
    - name: drain
      community.general.haproxy:
        state: drain
        backend: {APP}
        host: "{{{{ inventory_hostname }}}}"
        socket: "{{{{ haproxy_socket }}}}"
        wait: true
        drain: true
        wait_interval: 1
      delegate_to: balancer
    - name: switch
      ansible.builtin.file:
        state: link
        src: "{{{{ release }}}}"
        dest: "{{{{ root }}}}/current"
    - name: restart
      community.general.supervisorctl:
        name: {APP}
        state: restarted
        config: "{{{{ supervisord }}}}"
        supervisorctl_path: "{{{{ supervisorctl }}}}"
    - name: health
      ansible.builtin.uri:
        url: "{{{{ health }}}}"
      register: health_answer
      until: health_answer.status == 200
      retries: 60
      delay: 0.5
    - name: enable
      community.general.haproxy:
        state: enabled
        backend: {APP}
        host: "{{{{ inventory_hostname }}}}"
        socket: "{{{{ haproxy_socket }}}}"
        wait: true
        wait_interval: 1
      delegate_to: balancer
"""


@dataclass(frozen=True, slots=True)
class PlaybookRun:
    """Seconds by host, and by step of each host."""

    hosts: dict[str, float]
    steps: dict[str, dict[str, float]]


class Playbook:
    """`balancer_ip`: where the tasks at the load balancer go, over ssh as well, as they would to a real one."""

    def __init__(self, folder: Path, world: World, sshd: PrivateSshd, balancer_ip: str) -> None:
        self._folder = folder
        self._world = world
        self._sshd = sshd
        self._balancer_ip = balancer_ip
        self._tools = peers.ansible()

    def release(self, release_id: str) -> PlaybookRun:
        """Bring `release_id`, unpacked on every server, live. Raises `Temporary` with its words when it fails."""
        self._folder.mkdir(exist_ok=True)
        (self._folder / "release.yml").write_text(_PLAYBOOK)
        (self._folder / "hosts.json").write_text(json.dumps(self._inventory(release_id)))
        argv = [str(self._tools / "ansible-playbook"), "-i", "hosts.json", "release.yml"]
        try:
            done = subprocess.run(
                argv,
                cwd=self._folder,
                env=os.environ | self._settings(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_WITHIN,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Temporary(f"ansible-playbook did not end within {_WITHIN:g} s") from error
        if done.returncode:
            raise Temporary(
                f"ansible-playbook ended with status {done.returncode}: {(done.stdout + done.stderr)[-800:]}"
            )
        return _read(json.loads(done.stdout[done.stdout.index("{") :]))

    def _settings(self) -> dict[str, str]:
        return {
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_SSH_ARGS": f"-o ControlMaster=auto -o ControlPersist=60s -o ControlPath={self._folder}/%C",
            "ANSIBLE_HOST_KEY_CHECKING": "0",
            "ANSIBLE_COLLECTIONS_PATH": str(peers.collections()),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            "ANSIBLE_HOME": str(self._folder / "home"),
            "LC_ALL": "C.UTF-8",
        }

    def _inventory(self, release_id: str) -> dict[str, Any]:
        common = {
            "ansible_port": self._sshd.port,
            "ansible_user": self._sshd.user,
            "ansible_ssh_private_key_file": str(self._sshd.client_key),
            "ansible_ssh_common_args": "-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR",
            "ansible_python_interpreter": sys.executable,
            "haproxy_socket": str(self._world.haproxy.admin_socket),
            "supervisorctl": str(Path(sys.executable).parent / "supervisorctl"),
        }
        web = {
            server.name: {
                "ansible_host": server.address.ip,
                "root": str(server.root),
                "release": str(server.root / "releases" / release_id),
                "supervisord": str(server.folder / "supervisor" / "supervisord.conf"),
                "health": f"http://{server.address.listen}/healthz",
            }
            for server in self._world.servers
        }
        balancer = {"balancer": {"ansible_host": self._balancer_ip}}
        return {"all": {"vars": common, "children": {"web": {"hosts": web}, "lb": {"hosts": balancer}}}}


def _read(raw: Any) -> PlaybookRun:
    hosts: dict[str, float] = {}
    steps: dict[str, dict[str, float]] = {}
    for play in raw["plays"]:
        tasks = {task["task"]["name"]: _seconds(task["task"]["duration"]) for task in play["tasks"]}
        host = next(iter(play["tasks"][0]["hosts"]))
        hosts[host] = _seconds(play["play"]["duration"])
        steps[host] = tasks
    return PlaybookRun(hosts, steps)


def _seconds(duration: dict[str, str]) -> float:
    start, end = (datetime.fromisoformat(duration[name]) for name in ("start", "end"))
    return (end - start).total_seconds()

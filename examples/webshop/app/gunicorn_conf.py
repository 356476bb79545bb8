"""How gunicorn serves the shop. The server says where: SHOP_LISTEN and SHOP_LOG come from its process manager."""

import logging
import os
from pathlib import Path
from typing import Any

_LOG = os.environ["SHOP_LOG"]

bind = os.environ["SHOP_LISTEN"]
worker_class = "gthread"
workers = 1
threads = 8
# Longer than the load balancer keeps an idle connection: so it is never the shop that closes one under a request.
keepalive = 75
graceful_timeout = 20
worker_tmp_dir = "/dev/shm"
control_socket_disable = True
accesslog = f"{_LOG}/access.log"
errorlog = f"{_LOG}/gunicorn.log"
access_log_format = '%(h)s - - %(t)s "%(r)s" %(s)s %(B)s %(M)sms'


class _NoProbes(logging.Filter):
    """Probes of health and version come several times a second and say nothing."""

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.getMessage()
        return " /healthz " not in said and " /version " not in said


def on_starting(server: Any) -> None:
    server.log.access_log.addFilter(_NoProbes())


def post_worker_init(worker: Any) -> None:
    """From now on requests are answered."""
    Path(_LOG, "ready").touch()

"""A client's requests taken straight into the API's app, without a socket."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
from starlette.testclient import TestClient


@dataclass
class IntoApp(httpx.BaseTransport):
    client: TestClient

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url, body = str(request.url.copy_with(scheme="http", host="testserver", port=None)), request.read()
        reply = self.client.request(request.method, url, content=body, headers=dict(request.headers))
        return httpx.Response(reply.status_code, content=reply.content)

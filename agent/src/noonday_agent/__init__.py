"""Noonday's agent: one small process on every web server."""

from noonday_agent.lean import skip_plugins

__version__ = "0.1.0"

skip_plugins()  # before any module of ours imports pydantic

"""Noonday's agent: one small process on every web server."""

__version__ = "0.1.0"

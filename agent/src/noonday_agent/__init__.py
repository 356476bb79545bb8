"""Noonday's agent: one small process on every web server."""

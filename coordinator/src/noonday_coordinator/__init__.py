"""Noonday's coordinator and the noonday command."""

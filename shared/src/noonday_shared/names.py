"""The names that travel: hosts, apps, versions, digests; and the release that a version and a digest name."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from noonday_shared.errors import BadInput

HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?")
APP = re.compile(r"[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?")
VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_]*(?:-[0-9A-Za-z.+_]+)*")
DIGEST = re.compile(r"[0-9a-f]{64}")


def _matching(pattern: re.Pattern[str], what: str, limit: int) -> AfterValidator:
    def check(value: str) -> str:
        if len(value) > limit or not pattern.fullmatch(value):
            raise ValueError(f"{value[:80]!r} is not {what}")
        return value

    return AfterValidator(check)


HostName = Annotated[str, _matching(HOST, "a host name (lower case letters, digits, '-' and '.', at most 63)", 63)]
AppName = Annotated[str, _matching(APP, "an app name (lower case letters, digits and '-', at most 32)", 32)]
Version = Annotated[str, _matching(VERSION, "a version (letters, digits and . + _ -, at most 64, no '--')", 64)]
Digest = Annotated[str, _matching(DIGEST, "a sha256 in 64 lower case hex digits", 64)]


class ReleaseRef(BaseModel):
    """A release: its version and the sha256 of its archive. Two archives of one version are two releases."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: Version
    digest: Digest = Field(description="sha256 of the .tar.gz, in hex")

    @property
    def id(self) -> str:
        """The name of its folder: `<version>-<first 8 digits of the digest>`."""
        return f"{self.version}-{self.digest[:8]}"

    def __str__(self) -> str:
        return self.version


def check_name(pattern: re.Pattern[str], value: str, what: str) -> str:
    """The value, if the whole of it matches; raises `BadInput` otherwise."""
    if not pattern.fullmatch(value):
        raise BadInput(f"{value[:80]!r} is not {what}.", next_action=f"give {what} that matches {pattern.pattern}")
    return value

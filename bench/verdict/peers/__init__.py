"""What others decide by, each in one file: the rule, where it is from, and nothing of ours."""

from __future__ import annotations

from bench.verdict.peers.any_error import AnyNewError
from bench.verdict.peers.mann_whitney import MannWhitney
from bench.verdict.peers.new_template import NewTemplate
from bench.verdict.peers.protocol import Peer
from bench.verdict.peers.template_diff import TemplateDiff
from bench.verdict.peers.threshold import Threshold

__all__ = ["Peer", "all_peers"]


def all_peers() -> list[Peer]:
    return [Threshold(), MannWhitney(), NewTemplate(), TemplateDiff(), AnyNewError()]

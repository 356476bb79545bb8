"""A web server that does not exist behind two load balancers: one may be gone while the other forgets."""

from __future__ import annotations

from dataclasses import replace

from noonday_agent.balancers.pool import Pool
from noonday_agent.core.journal import Stage, Way
from noonday_agent.parts import Parts
from support.fake_balancer import FakeBalancer, FakePlace
from support.fake_host import FakeHost


class TwoBalancers(FakeHost):
    """`place` is its place in the one that is asked first, `second` in the other."""

    def build(self) -> None:
        super().build()
        self.second = FakePlace(let_in=False)

    def parts(self) -> Parts:
        return replace(super().parts(), pool=Pool((FakeBalancer(self.place), FakeBalancer(self.second))))

    def at(self, stage: Stage, way: Way = Way.FORWARD) -> bool:
        attempt = self.runner.journal.attempt
        return attempt is not None and (attempt.way, attempt.stage) == (way, stage)

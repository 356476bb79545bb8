"""A disk that is full just after a step had its effect: the step is not done again when there is room."""

from __future__ import annotations

import pytest

from noonday_agent.core.journal import Journal, Stage
from noonday_shared.errors import NoondayError, Permanent
from noonday_shared.messages import Goal, Outcome
from noonday_shared.release.manifest import HookFiles
from support.fake_host import FakeHost, MemoryJournal, assignment, ref

OLD, NEW = ref("1.0.0", "a"), ref("1.1.0", "b")


class FullOnce(MemoryJournal):
    """Refuses what follows `stage`, for a while."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self._stage, self._left = stage, 3

    def save(self, journal: Journal) -> None:
        before, now = self.kept.attempt, journal.attempt
        leaves = before is not None and before.stage is self._stage and (now is None or now.stage is not self._stage)
        if leaves and self._left > 0:
            self._left -= 1
            raise Permanent("No space left on device.", rule="journal", next_action="make room")
        super().save(journal)


@pytest.mark.parametrize("stage", [Stage.PRE_ACTIVATE, Stage.RESTART, Stage.POST_ACTIVATE, Stage.POST_RETURN])
def test_what_could_not_be_journalled_is_not_done_again(stage: Stage) -> None:
    host = FakeHost()
    host.releases.hooks[NEW.version] = HookFiles(pre_activate="pre", post_activate="post", post_return="back")
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=1))
    host.settle()
    restarts, kept = host.process.restarts, host.file.kept
    host.file = FullOnce(stage)
    host.file.kept = kept
    host.agent()
    host.runner.offer(assignment(host.clock, Goal.SERVING, NEW, generation=2, previous=OLD))
    refused = 0
    for _ in range(500):
        try:
            host.turn()
        except NoondayError:
            refused += 1
    assert refused == 3
    assert (host.runner.journal.outcome, host.serves) == (Outcome.DONE, NEW.id)
    assert host.process.restarts == restarts + 1
    assert host.hooks_run == [f"{hook} 1.1.0" for hook in ("pre_activate", "post_activate", "post_return")]

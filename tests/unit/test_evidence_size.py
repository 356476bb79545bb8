from __future__ import annotations

from bench.evidence_size import Fleet, measure


def test_the_cost_of_history_is_measured_for_a_quiet_time_its_rollouts_and_a_restart() -> None:
    quiet, rollouts, restart = measure(Fleet(hosts=2, keys=5, requests=5.0), hours=0.1, rollouts=1, minutes=1.0)
    assert quiet.startswith("0.1 h without a rollout")
    assert "n=12" in quiet
    assert "n=6" in rollouts
    assert "MB" in rollouts
    assert restart.endswith("s of CPU")

"""The list of waits in the documentation: their seconds are those of the code, and a test lets each of them run out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from inspect import signature
from pathlib import Path

import pytest
from pydantic import BaseModel

from noonday_agent import check, runner
from noonday_agent import config as agent
from noonday_agent.balancers.endpoint import _Handler
from noonday_agent.config import Seconds as AgentSeconds
from noonday_agent.core.journal import Stage
from noonday_agent.core.limits import Limits
from noonday_agent.evidence import collector
from noonday_agent.releases.fetch import Patience
from noonday_coordinator import engine, outgoing, service
from noonday_coordinator.api import uploads
from noonday_coordinator.cli import client, follow
from noonday_coordinator.core import absorb, coming_home, examine
from noonday_coordinator.core.policy import Policy
from noonday_coordinator.core.policy import Seconds as PolicySeconds
from noonday_shared.bus import parameters
from noonday_shared.bus.rabbit import RabbitBus

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "operations.md"


def _default_of(function: Callable[..., object], name: str) -> float:
    return float(signature(function).parameters[name].default)


FIXED_OR_DERIVED: dict[str, float] = {
    "for a byte of a release": Patience().stall,
    "for the load balancer to take the server out": Limits().of(Stage.DRAIN),
    "between two looks whether a load balancer lets in what is held out": runner.HOLD_LOOK,
    "for the process manager to answer before the switch": Limits().of(Stage.SWITCH),
    "for old code, still seen after the restart, to vanish": Limits().settle_within,
    "for a silent client of an endpoint": _Handler.timeout,
    "for the last lines that an old release logged": collector.DRAIN_WITHIN,
    "for the broker, in `noonday-agent check`": check.BROKER_WITHIN,
    "for an assignment on its way": outgoing.VALID,
    "for the broker to take a connection, and to open it": parameters.HANDSHAKE_TIMEOUT,
    "for an answer, or the confirmation of a message": _default_of(RabbitBus.__init__, "answer_within"),
    "for a sign of life on a quiet line": parameters.HEARTBEAT,
    "for a broker that has no memory or disk left": parameters.BLOCKED_TIMEOUT,
    "for what is unsent, at the stop of a process": _default_of(RabbitBus.close, "within"),
    "for the word of a host at work, beyond its own time": absorb.GRACE,
    "before a host that missed a rollout is tried once more": coming_home.AGAIN_AFTER,
    "for a doubt to pass": examine.IN_DOUBT * Policy.model_fields["examine"].default,
    "for the engine to take a command": engine.ANSWER_WITHIN,
    "for the next piece of an upload": uploads.PIECE_WITHIN,
    "for a client to take what is sent to it, or to answer its TCP": service.GONE_AFTER,
    "for the coordinator to answer a command": client.WITHIN,
    "for requests under way, at the stop of the coordinator": service.LEAVE_WITHIN,
    "for a coordinator that is away, where a rollout is followed": follow.PATIENCE,
}

TESTS = {
    "for all of a release to be fetched, verified and unpacked": "test_the_deadline_holds_while_a_source_stays_away",
    "for a byte of a release": "test_a_stalled_connection_is_given_up_and_tried_again",
    "for one host's whole way to the new release": "test_the_deadline_of_the_assignment_ends_the_attempt",
    "for a hook, and all that it started": "test_a_hook_that_hangs_is_ended_with_all_that_it_started",
    "for the load balancer to take the server out": "test_every_stage_that_waits_ends_when_its_time_is_over",
    "between two looks whether a load balancer lets in what is held out": "test_a_stranded_host_that_its_balancer",
    "for requests under way to end": "test_requests_that_do_not_end_are_waited_for_and_then_left_by_default",
    "for the process manager to answer before the switch": "test_every_stage_that_waits_ends_when_its_time_is_over",
    "for the app to stop and start": "test_a_restart_that_takes_too_long_ends_in_a_sentence",
    "for the new code to be seen, and then to be well": "test_a_release_that_never_becomes_healthy_is_replaced",
    "for old code, still seen after the restart, to vanish": "test_what_speaks_against_the_release_is_believed_once",
    "for the load balancer to report the server in service again": "test_a_balancer_that_never_reports_the_server_up",
    "for one health answer": "test_an_app_that_says_nothing_ends_at_the_deadline",
    "for one page of metrics": "test_a_body_that_trickles_ends_at_the_deadline",
    "for one answer of HAProxy": "test_an_answer_that_does_not_end_is_temporary",
    "for one command of a load balancer": "test_a_command_that_hangs_is_ended_with_all_its_children",
    "for a balancer that polls an endpoint to have acted": "test_it_answers_200_in_and_503_out_to_every_method",
    "for a balancer that polls a file to have acted": "test_a_file_that_was_turned_settles_after_its_time",
    "for a silent client of an endpoint": "test_a_check_that_says_nothing_holds_no_thread_for_ever",
    "for one answer of supervisord": "test_a_supervisord_that_hangs_is_not_waited_for",
    "for one answer of systemctl": "test_a_systemctl_that_hangs_is_not_waited_for",
    "between two looks at a quiet app": "",
    "for the last lines that an old release logged": "test_a_flood_at_the_switch_is_skipped_in_time_and_counted",
    "for the broker, in `noonday-agent check`": "test_check_says_of_each_thing_that_is_not_well_what_to_mend",
    "for an assignment on its way": "test_an_expired_assignment_and_one_for_another_host_are_refused",
    "for the broker to take a connection, and to open it": "test_a_broker_that_takes_the_connection_and_says_nothing",
    "for an answer, or the confirmation of a message": "test_a_line_that_swallows_everything_is_given_up",
    "for a sign of life on a quiet line": "test_a_host_without_its_cable_counts_as_unreachable",
    "for a broker that has no memory or disk left": "test_a_broker_without_memory_is_said_and_all_goes_on",
    "for what is unsent, at the stop of a process": "test_closing_without_a_broker_ends_by_its_deadline",
    "for all hosts to prepare": "test_a_host_that_does_not_prepare_in_time_ends_it_by_name",
    "for the word of a host at work, beyond its own time": "test_a_host_that_says_nothing_of_its_step_failed_once",
    "for room to drain the next host": "test_who_can_not_drain_for_a_hosts_whole_time_asks_a_person",
    "for room to tell a host again that was given up on, or lost what it served": "test_one_that_was_given_up_on_waits",
    "for silence of a host to mean something": "test_a_silent_host_does_not_count_as_in_service",
    "for a host that is out to have stayed out, before it is moved though others are out": "test_one_that_is_out",
    "for a failing health check to pass": "test_a_host_that_fails_its_health_check_is_held_against_the_release",
    "for the examine": "test_what_is_left_of_an_examine_is_the_same_after_a_pause",
    "for more requests, or for a hold to pass": "test_too_few_requests_ask_a_person_at_the_longest_instant",
    "for a doubt to pass": "test_a_doubt_that_stays_ends_after_three_times_the_examine",
    "for a hold to pass, counted beyond `examine`": "test_a_hold_asks_a_person_once_it_has_lasted",
    "between two waves": "test_a_wave_pause_is_waited_for_between_waves",
    "before a host that missed a rollout is tried once more": "test_one_that_could_not_prepare_is_tried_again",
    "for the engine to take a command": "test_an_engine_that_does_not_answer_is_503",
    "for the next piece of an upload": "test_an_upload_that_stops_sending_ends_in_a_sentence",
    "for a client to take what is sent to it, or to answer its TCP": "test_a_client_that_stops_reading_its_download",
    "for the coordinator to answer a command": "test_a_coordinator_that_takes_the_question_and_says_nothing",
    "for requests under way, at the stop of the coordinator": "test_a_request_that_does_not_end_holds_up_the_stop",
    "for a coordinator that is away, where a rollout is followed": "test_a_coordinator_that_stays_away_ends_the_view",
}
"""By wait, how the name of the test begins that lets it run out; empty for one that is no wait for anybody."""

KINDS = {"balancers": "Balancer", "process": "Process"}


def rows() -> list[tuple[str, float, str]]:
    """What is waited for, its seconds, and what sets them."""
    section = PAGE.read_text().partition("## Deadlines")[2].partition("## Broker and network")[0]
    cells = [[cell.strip() for cell in line.split(" | ")] for line in section.splitlines() if line.startswith("| ")]
    return [(row[0].removeprefix("| "), float(row[1]), row[2]) for row in cells if row[1] != "seconds"]


ROWS = rows()


def test_every_wait_of_the_page_is_known_here_and_once() -> None:
    assert sorted(what for what, _, _ in ROWS) == sorted(TESTS)


@pytest.mark.parametrize(("what", "seconds", "source"), ROWS, ids=[what for what, _, _ in ROWS])
def test_its_seconds_are_those_of_the_code(what: str, seconds: float, source: str) -> None:
    assert seconds == (FIXED_OR_DERIVED[what] if what in FIXED_OR_DERIVED else _default(source))


@pytest.mark.parametrize("name", sorted({name for name in TESTS.values() if name}))
def test_a_test_lets_it_run_out(name: str) -> None:
    sources = (path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert any(f"def {name}" in text for text in sources)


def test_every_setting_in_seconds_stands_on_the_page() -> None:
    told = {source for _, _, source in ROWS if source != "fixed"}
    policy = {f"`{name}` (policy)" for name in _seconds(Policy, PolicySeconds)}
    assert policy - told == set()
    assert {f"`{name}`" for name in _of_agent()} - told == set()


def _default(source: str) -> float:
    key = source.split("`")[1]
    if source.endswith("(policy)"):
        return float(Policy.model_fields[key].default)
    return _of_agent()[key]


def _of_agent() -> dict[str, float]:
    """Key below [apps.APP], with the kind of a balancer or process manager in it, and its seconds."""
    found = {}
    for path, model in _tables():
        for name, default in _seconds(model, AgentSeconds).items():
            found[f"{path}{name}"] = default
    return found


def _tables() -> Iterator[tuple[str, type[BaseModel]]]:
    yield "", agent.App
    yield "health.", agent.Health
    yield "drain.", agent.Drain
    yield "hooks.", agent.Hooks
    yield "metrics.", agent.Metrics
    for folder, ending in KINDS.items():
        for name, model in vars(agent).items():
            if re.fullmatch(f"[A-Z][a-z]+{ending}", name):
                yield f"{folder}.{name.removesuffix(ending).lower()}.", model


def _seconds(model: type[BaseModel], kind: object) -> dict[str, float]:
    """Fields of that kind: its marks are those of the annotation."""
    marks = [str(mark) for mark in kind.__metadata__[0].metadata]  # type: ignore[attr-defined]
    return {
        name: float(field.default)
        for name, field in model.model_fields.items()
        if field.annotation is float and [str(mark) for mark in field.metadata] == marks
    }

"""The waits of docs/operations.md: where their seconds stand in the code, and which test lets each of them run out."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from pathlib import Path

from noonday_agent.balancers.endpoint import _Handler
from noonday_agent.core.journal import Stage
from noonday_agent.core.limits import Limits
from noonday_agent.releases.fetch import Patience
from noonday_coordinator.core import examine
from noonday_coordinator.core.policy import Policy
from noonday_coordinator.store.folded import FoldedState
from noonday_shared.bus.rabbit import RabbitBus

ROOT = Path(__file__).parents[2]
SOURCES = [path for part in ("agent", "coordinator", "shared") for path in sorted((ROOT / part / "src").rglob("*.py"))]
PAGE = ROOT / "docs" / "operations.md"


def rows() -> list[tuple[str, float, str]]:
    """What is waited for, its seconds, and what sets them."""
    section = PAGE.read_text().partition("## Deadlines")[2].partition("## Broker and network")[0]
    cells = [[cell.strip() for cell in line.split(" | ")] for line in section.splitlines() if line.startswith("| ")]
    return [(row[0].removeprefix("| "), float(row[1]), row[2]) for row in cells if row[1] != "seconds"]


def _default_of(function: Callable[..., object], name: str) -> float:
    return float(signature(function).parameters[name].default)


CONSTANTS = {
    "between two looks whether a load balancer lets in what is held out": "noonday_agent.runner:HOLD_LOOK",
    "for an endpoint to answer its own agent": "noonday_agent.balancers.endpoint:_PROBE",
    "between two looks at an app with nothing to do": "noonday_agent.runner:IDLE",
    "for one reading of what an app's processes use": "noonday_agent.evidence.monitors:WITHIN",
    "before a journalctl that ended is started again": "noonday_agent.evidence.journal:RETRY",
    "for the last lines that an old release logged": "noonday_agent.evidence.collector:DRAIN_WITHIN",
    "for the broker, in `noonday-agent check`": "noonday_agent.check:BROKER_WITHIN",
    "for journalctl, in `noonday-agent check`": "noonday_agent.check:JOURNAL_WITHIN",
    "for each thread of an app, at the stop of the agent": "noonday_agent.service:CLOSE_WITHIN",
    "for a hook that runs, at the stop of the agent": "noonday_agent.app:HOOK_WITHIN",
    "for what outlived a killed agent to end at TERM": "noonday_agent.underway:GRACE",
    "for an assignment on its way": "noonday_coordinator.outgoing:VALID",
    "for the broker to take a connection, and to open it": "noonday_shared.bus.parameters:HANDSHAKE_TIMEOUT",
    "for one address of the broker to take a connection": "noonday_shared.bus.parameters:CONNECT_TIMEOUT",
    "for a sign of life on a quiet line": "noonday_shared.bus.parameters:HEARTBEAT",
    "for a broker that has no memory or disk left": "noonday_shared.bus.parameters:BLOCKED_TIMEOUT",
    "for a host to take up what it is told": "noonday_coordinator.outgoing:LONGEST_REPEAT",
    "for the word of a host at work, beyond its own time": "noonday_coordinator.core.absorb:GRACE",
    "before a host that missed a rollout is tried once more": "noonday_coordinator.core.coming_home:AGAIN_AFTER",
    "for the engine to take a command": "noonday_coordinator.engine:ANSWER_WITHIN",
    "for a database that another program has locked": "noonday_coordinator.store.sqlite:BUSY",
    "for who follows logs to ask again": "noonday_coordinator.api.routes_apps:_WATCH",
    "for the next piece of an upload": "noonday_coordinator.api.uploads:PIECE_WITHIN",
    "for a client to take what is sent to it, or to answer its TCP": "noonday_coordinator.service:GONE_AFTER",
    "for the coordinator to answer a command": "noonday_coordinator.cli.client:WITHIN",
    "for the coordinator to take a release that was sent to it": "noonday_coordinator.cli.client:UPLOAD_WITHIN",
    "for the coordinator to read its whole log, for `noonday audit`": "noonday_coordinator.cli.records:_AUDIT_WITHIN",
    "for the coordinator to judge anew, for `noonday replay`": "noonday_coordinator.cli.replay:WITHIN",
    "for the first lines, in `noonday logs`": "noonday_coordinator.cli.watch:FIRST_LINES_WITHIN",
    "for requests under way, at the stop of the coordinator": "noonday_coordinator.service:LEAVE_WITHIN",
    "for the engine's turn, at the stop of the coordinator": "noonday_coordinator.engine:ANSWER_WITHIN",
    "for a coordinator that is away, where a rollout is followed": "noonday_coordinator.cli.follow:PATIENCE",
}
"""By wait, the constant that is its seconds."""

_LIMITS = Limits()

DERIVED: dict[str, float] = {
    "for a byte of a release, or all of an answer's beginning": Patience().stall,
    "between two tries of a release's source": Patience().longest_pause,
    "for a hook or a restart to be ended, beyond its own time": _LIMITS.of(Stage.RESTART) - _LIMITS.restart_within,
    "for the load balancer to take the server out": _LIMITS.of(Stage.DRAIN),
    "for the process manager to answer before the switch": _LIMITS.of(Stage.SWITCH),
    "for old code, still seen after the restart, to vanish": _LIMITS.settle_within,
    "for a silent client of an endpoint": _Handler.timeout,
    "for an answer, or the confirmation of a message": _default_of(RabbitBus.__init__, "answer_within"),
    "for what is unsent, at the stop of a process": _default_of(RabbitBus.close, "within"),
    "for a doubt to pass": examine.IN_DOUBT * Policy.model_fields["examine"].default,
    "for the sum of the event log to be kept, at the stop of the coordinator": _default_of(FoldedState.close, "within"),
}
"""By wait, its seconds, where they are no constant and no setting."""

_TESTS_OF: dict[str, dict[str, tuple[str, ...]]] = {
    "integration/test_release_fetch.py": {
        "test_the_deadline_holds_while_a_source_trickles": (
            "for all of a release to be fetched, verified and unpacked",
        ),
        "test_a_stalled_connection_is_given_up_and_tried_again": (
            "for a byte of a release, or all of an answer's beginning",
        ),
        "test_a_server_that_stalls_for_ever_ends_in_a_sentence": ("between two tries of a release's source",),
    },
    "unit/test_agent_runner.py": {
        "test_the_deadline_of_the_assignment_ends_the_attempt": ("for one host's whole way to the new release",),
        "test_requests_that_do_not_end_are_waited_for_and_then_left_by_default": ("for requests under way to end",),
        "test_a_release_that_never_becomes_healthy_is_replaced_by_the_previous_one": (
            "for the new code to be seen, and then to be well",
        ),
        "test_a_balancer_that_never_reports_the_server_up_sends_it_back": (
            "for the load balancer to report the server in service again",
        ),
        "test_an_expired_assignment_and_one_for_another_host_are_refused": ("for an assignment on its way",),
    },
    "integration/test_fleet_hooks.py": {
        "test_a_hook_that_hangs_is_ended_with_all_that_it_started": ("for a hook, and all that it started",),
    },
    "unit/test_agent_abort.py": {
        "test_a_hook_that_runs_at_the_stop_is_ended_when_its_time_is_over_and_the_next_agent_goes_back": (
            "for a hook that runs, at the stop of the agent",
        ),
    },
    "unit/test_underway.py": {
        "test_what_outlived_its_agent_is_ended_with_its_whole_group_whatever_it_ignores": (
            "for what outlived a killed agent to end at TERM",
        ),
    },
    "unit/test_deadlines_fire.py": {
        "test_every_stage_that_waits_ends_when_its_time_is_over_and_says_for_what": (
            "for a hook or a restart to be ended, beyond its own time",
            "for the load balancer to take the server out",
            "for the process manager to answer before the switch",
        ),
        "test_what_speaks_against_the_release_is_believed_once_it_lasts": (
            "for old code, still seen after the restart, to vanish",
        ),
        "test_a_check_that_says_nothing_holds_no_thread_for_ever": ("for a silent client of an endpoint",),
        "test_an_endpoint_that_says_nothing_to_its_own_agent_is_not_waited_for": (
            "for an endpoint to answer its own agent",
        ),
        "test_a_systemctl_that_hangs_is_not_waited_for": ("for one answer of systemctl",),
        "test_a_journalctl_that_hangs_fails_the_check_in_words": ("for journalctl, in `noonday-agent check`",),
        "test_a_broker_that_takes_the_connection_and_says_nothing_is_given_up": (
            "for the broker to take a connection, and to open it",
        ),
        "test_a_host_that_fails_its_health_check_is_held_against_the_release_once_it_lasts": (
            "for a failing health check to pass",
        ),
        "test_a_hold_asks_a_person_once_it_has_lasted": ("for a hold to pass, counted beyond `examine`",),
        "test_a_database_that_another_program_has_locked_is_not_waited_for": (
            "for a database that another program has locked",
        ),
        "test_a_coordinator_that_takes_the_question_and_says_nothing_is_given_up": (
            "for the coordinator to answer a command",
        ),
        "test_a_command_whose_answer_takes_its_time_is_given_up": (
            "for the coordinator to take a release that was sent to it",
            "for the coordinator to read its whole log, for `noonday audit`",
            "for the coordinator to judge anew, for `noonday replay`",
        ),
    },
    "unit/test_agent_holds_out.py": {
        "test_a_stranded_host_that_its_balancer_lets_in_goes_out_again": (
            "between two looks whether a load balancer lets in what is held out",
        ),
    },
    "contract/test_process_contract.py": {
        "test_a_restart_that_takes_too_long_ends_in_a_sentence": ("for the app to stop and start",),
        "test_a_supervisord_that_hangs_is_not_waited_for": ("for one answer of supervisord",),
    },
    "unit/test_http_probe.py": {
        "test_an_app_that_says_nothing_ends_at_the_deadline": ("for one health answer",),
        "test_a_body_that_trickles_ends_at_the_deadline": ("for one page of metrics",),
    },
    "unit/test_runtime_api.py": {
        "test_an_answer_that_does_not_end_is_temporary": ("for one answer of HAProxy",),
    },
    "unit/test_command_balancer.py": {
        "test_a_command_that_hangs_is_ended_with_all_its_children": ("for one command of a load balancer",),
    },
    "unit/test_polled_balancers.py": {
        "test_an_endpoint_settles_from_its_marker_also_in_another_process": (
            "for a balancer that polls an endpoint to have acted",
        ),
        "test_a_file_that_was_turned_settles_after_its_time": ("for a balancer that polls a file to have acted",),
    },
    "unit/test_hosted_app_waits.py": {
        "test_a_quiet_app_is_looked_at_again_after_its_time": ("between two looks at a quiet app",),
        "test_a_step_that_does_not_end_is_left_at_the_stop": ("for each thread of an app, at the stop of the agent",),
        "test_who_follows_logs_no_longer_is_sent_none": ("for who follows logs to ask again",),
    },
    "unit/test_agent_forgets.py": {
        "test_a_drained_host_that_its_balancer_lets_in_again_goes_out_again": (
            "between two looks at an app with nothing to do",
        ),
    },
    "integration/test_process_monitors.py": {
        "test_what_takes_too_long_is_left_out_rather_than_guessed": ("for one reading of what an app's processes use",),
    },
    "integration/test_unit_journal.py": {
        "test_a_journalctl_that_ends_is_named_and_started_again_where_it_was": (
            "before a journalctl that ended is started again",
        ),
    },
    "integration/test_log_collector.py": {
        "test_a_flood_at_the_switch_is_skipped_in_time_and_counted": ("for the last lines that an old release logged",),
    },
    "integration/test_fleet_agents.py": {
        "test_check_says_of_each_thing_that_is_not_well_what_to_mend": ("for the broker, in `noonday-agent check`",),
    },
    "integration/test_bus_goes_quiet.py": {
        "test_an_address_that_takes_no_connection_is_given_up": ("for one address of the broker to take a connection",),
        "test_a_line_on_which_nothing_is_heard_is_given_up_though_nobody_asks_anything": (
            "for a sign of life on a quiet line",
        ),
        "test_a_broker_that_takes_no_messages_for_too_long_is_left_and_asked_anew": (
            "for a broker that has no memory or disk left",
        ),
    },
    "integration/test_rabbit_bus.py": {
        "test_a_line_that_swallows_everything_is_given_up_and_nothing_is_lost": (
            "for an answer, or the confirmation of a message",
        ),
        "test_closing_without_a_broker_ends_by_its_deadline": ("for what is unsent, at the stop of a process",),
    },
    "unit/test_decide.py": {
        "test_a_host_that_does_not_prepare_in_time_ends_it_by_name": ("for all hosts to prepare",),
        "test_a_host_that_says_nothing_of_its_step_failed_once_its_time_and_a_grace_are_over": (
            "for the word of a host at work, beyond its own time",
        ),
        "test_who_can_not_drain_for_a_hosts_whole_time_asks_a_person_and_goes_on_by_itself": (
            "for room to drain the next host",
        ),
        "test_a_good_release_goes_to_one_host_is_examined_and_goes_on_one_by_one": ("for the examine",),
        "test_too_few_requests_ask_a_person_at_the_longest_instant_of_the_examine": (
            "for more requests, or for a hold to pass",
        ),
        "test_a_wave_pause_is_waited_for_between_waves_and_judging_goes_on": ("between two waves",),
    },
    "unit/test_outgoing.py": {
        "test_what_is_assigned_is_said_once_and_again_until_it_is_taken_up": ("for a host to take up what it is told",),
    },
    "unit/test_held_back.py": {
        "test_one_that_was_given_up_on_waits_no_longer_than_a_host_may_take_before_that_is_said": (
            "for room to tell a host again that was given up on, or lost what it served",
        ),
    },
    "unit/test_submit.py": {
        "test_a_silent_host_does_not_count_as_in_service": ("for silence of a host to mean something",),
    },
    "unit/test_odd_hosts.py": {
        "test_one_that_is_out_anyway_does_not_wait_for_others": (
            "for a host that is out to have stayed out, before it is moved though others are out",
        ),
        "test_one_that_could_not_prepare_is_tried_again_after_a_while_and_not_for_ever": (
            "before a host that missed a rollout is tried once more",
        ),
    },
    "unit/test_examine_in_doubt.py": {
        "test_a_doubt_that_stays_ends_after_three_times_the_examine_and_asks_nobody": ("for a doubt to pass",),
    },
    "unit/test_engine_waits.py": {
        "test_a_command_that_the_engine_does_not_come_to_is_given_up_in_words": ("for the engine to take a command",),
        "test_an_engine_that_does_not_end_its_turn_is_left_at_the_stop": (
            "for the engine's turn, at the stop of the coordinator",
        ),
    },
    "integration/test_slow_clients.py": {
        "test_an_upload_that_stops_sending_ends_in_a_sentence_and_leaves_nothing": ("for the next piece of an upload",),
        "test_a_client_that_stops_reading_its_download_is_hung_up_on": (
            "for a client to take what is sent to it, or to answer its TCP",
        ),
    },
    "unit/test_cli_follow.py": {
        "test_logs_wait_a_little_for_the_first_lines": ("for the first lines, in `noonday logs`",),
        "test_a_coordinator_that_stays_away_ends_the_view": (
            "for a coordinator that is away, where a rollout is followed",
        ),
    },
    "integration/test_coordinator_service.py": {
        "test_a_request_that_does_not_end_holds_up_the_stop_for_a_few_seconds_only": (
            "for requests under way, at the stop of the coordinator",
        ),
    },
    "unit/test_folded_state.py": {
        "test_what_is_still_written_at_the_stop_is_left": (
            "for the sum of the event log to be kept, at the stop of the coordinator",
        ),
    },
}

TESTS = {
    what: f"{file}::{test}" for file, tests in _TESTS_OF.items() for test, waits in tests.items() for what in waits
}
"""By wait, the test that lets it run out: its file below tests/, and its whole name."""

"""What an agent wants a person to read."""

from __future__ import annotations

from noonday_agent.notices import LONGEST, MOST, Notices
from support.virtual_clock import VirtualClock


def test_the_newest_few_are_kept_and_none_is_too_long() -> None:
    notices = Notices(VirtualClock())
    for number in range(MOST + 2):
        notices.add(f"{number} " + "x" * 2000)
    assert [words.split()[2] for words in notices.words] == [str(number) for number in range(2, MOST + 2)]
    assert {len(words) for words in notices.words} == {LONGEST}


def test_what_is_over_is_said_no_longer_and_the_rest_is() -> None:
    notices = Notices(VirtualClock())
    notices.add("web came too late", rule="expired", app="web")
    notices.add("api came too late", rule="expired", app="api")
    notices.add("web is for another host", rule="wrong-host", app="web")
    notices.over("expired", "web")
    assert [words.split(" UTC ")[1] for words in notices.words] == ["api came too late", "web is for another host"]

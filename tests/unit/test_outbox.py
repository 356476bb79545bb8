from __future__ import annotations

from noonday_shared.bus.outbox import Letter, Outbox


def letter(slot: str, body: str) -> Letter:
    return Letter("", "key", body.encode(), slot)


def taken(outbox: Outbox) -> list[str]:
    found = []
    while (one := outbox.take()) is not None:
        found.append(one.body.decode())
    return found


def test_letters_leave_in_the_order_they_came() -> None:
    outbox = Outbox()
    outbox.put(letter("a", "1"))
    outbox.put(letter("b", "2"))

    assert taken(outbox) == ["1", "2"]


def test_a_newer_letter_takes_the_place_of_one_that_waits() -> None:
    outbox = Outbox()
    outbox.put(letter("a", "old"))
    outbox.put(letter("b", "other"))
    outbox.put(letter("a", "new"))

    assert taken(outbox) == ["new", "other"]


def test_a_letter_is_kept_until_it_is_confirmed() -> None:
    outbox = Outbox()
    sent = letter("a", "1")
    outbox.put(sent)
    outbox.take()
    assert not outbox.empty

    outbox.settle(sent)
    assert outbox.empty


def test_what_was_not_confirmed_is_sent_again_first_and_in_its_order() -> None:
    outbox = Outbox()
    for slot in "abc":
        outbox.put(letter(slot, slot))
    outbox.take()
    second = outbox.take()
    assert second is not None
    outbox.settle(second)

    outbox.take_all_back()

    assert taken(outbox) == ["a", "c"]


def test_an_unconfirmed_letter_is_not_sent_again_when_a_newer_one_waits() -> None:
    outbox = Outbox()
    outbox.put(letter("a", "old"))
    outbox.take()
    outbox.put(letter("a", "new"))

    outbox.take_all_back()

    assert taken(outbox) == ["new"]


def test_a_late_confirmation_of_an_older_letter_does_not_settle_the_newer_one() -> None:
    outbox = Outbox()
    old, new = letter("a", "old"), letter("a", "new")
    outbox.put(old)
    outbox.take()
    outbox.put(new)
    outbox.take()

    outbox.settle(old)
    assert not outbox.empty
    outbox.take_all_back()

    assert taken(outbox) == ["new"]


def test_a_refused_letter_waits_again_unless_there_is_a_newer_one() -> None:
    outbox = Outbox()
    first, second = letter("a", "1"), letter("b", "2")
    outbox.put(first)
    outbox.put(second)
    outbox.take()
    outbox.take()
    outbox.put(letter("b", "newer"))

    outbox.take_back(first)
    outbox.take_back(second)

    assert taken(outbox) == ["newer", "1"]


def test_a_refusal_of_an_older_letter_leaves_the_newer_one_on_its_way() -> None:
    outbox = Outbox()
    old = letter("a", "old")
    outbox.put(old)
    outbox.take()
    outbox.put(letter("a", "new"))
    outbox.take()

    outbox.take_back(old)

    assert taken(outbox) == []
    assert not outbox.empty


def test_equal_letters_are_not_taken_for_each_other() -> None:
    outbox = Outbox()
    first, again = letter("a", "same"), letter("a", "same")
    outbox.put(first)
    outbox.take()
    outbox.put(again)
    outbox.take()

    outbox.settle(first)

    assert not outbox.empty

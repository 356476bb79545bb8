"""Which known record a new text is most like."""

from __future__ import annotations

from bench.verdict.world import template
from noonday_coordinator.verdict.catalogue import Catalogue, Clusters, Entry, nearness
from noonday_coordinator.verdict.counting import About
from noonday_coordinator.verdict.nearest import Nearest


def _nearest(text: str, level: str, *known: tuple[str, str]) -> str:
    entries = {
        f"k{number}": Entry(f"k{number}", known_level, "", known_text, number, 0.0, releases={"1.0": 1})
        for number, (known_level, known_text) in enumerate(known, start=1)
    }
    found = Nearest(Catalogue(entries)).of(About("template:new", "template", level, False, text, "new"))
    return found[0].text if found else ""


def test_another_format_is_no_other_text() -> None:
    assert nearness("retry order <*>", '{"message": "retry order <*>"}') == 0.8
    assert _nearest('{"message": "retry order"}', "WARN", ("WARN", "retry order"), ("WARN", "closed")) == "retry order"


def test_of_two_that_are_much_alike_the_one_of_the_same_level_is_nearer() -> None:
    known = (("INFO", "cart page login checked"), ("WARN", "page order cart checked"))
    assert _nearest("page fresh cart checked", "WARN", *known) == "page order cart checked"
    assert _nearest("page fresh cart checked", "INFO", *known) == "cart page login checked"


def test_a_text_without_words_is_like_nothing() -> None:
    assert _nearest("<*> 17", "ERROR", ("ERROR", "<*> 42")) == ""
    assert _nearest("alpha beta gamma", "ERROR", ("ERROR", "alpha delta epsilon zeta")) == ""


def test_words_that_differ_within_a_cluster_make_no_text_more_like_it() -> None:
    clusters = Clusters()
    first = clusters.find(template("alpha beta gamma delta epsilon"))
    widened = clusters.find(template("alpha zeta gamma delta epsilon"))
    assert (widened.id, widened.tokens) == (first.id, ("alpha", "<*>", "gamma", "delta", "epsilon"))
    assert clusters.find(template("alpha <*> gamma eta theta")).id != first.id
    assert clusters.find(template("alpha <*> gamma delta theta")).id == first.id

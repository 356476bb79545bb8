"""Properties that any history of windows must keep, and few false alarms, however often one looks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from noonday_coordinator.statistics.eprocess import EProcess
from noonday_coordinator.statistics.newcomer import INCIDENT, Newcomer
from noonday_coordinator.statistics.ratio_prior import RatioPrior
from noonday_coordinator.statistics.silence import Silence
from noonday_coordinator.statistics.window import Window

PRIOR = RatioPrior.of_hosts(16, old=4)
PAST = PRIOR.after([Window(40, 120, 1, 4)])
EITHER = st.sampled_from([PRIOR, PAST, RatioPrior.of_hosts(100, new=2, old=3)])
COUNT = st.integers(0, 60)
EXPOSURE = st.floats(0.1, 50)
WINDOW = st.tuples(COUNT, COUNT, EXPOSURE, EXPOSURE)
FEW = settings(max_examples=60, deadline=None)


def after(prior: RatioPrior, windows: list[tuple[float, float, float, float]]) -> EProcess:
    e = EProcess.of(prior)
    for window in windows:
        e = e.update(*window)
    return e


@FEW
@given(EITHER, st.lists(WINDOW, max_size=6), WINDOW, st.integers(1, 20))
def test_more_on_the_new_side_never_lowers_e(
    prior: RatioPrior, windows: list[tuple[float, float, float, float]], last: tuple[float, ...], more: int
) -> None:
    x, y, e_c, e_b = last
    before = after(prior, windows)
    assert before.update(x + more, y, e_c, e_b).log_e >= before.update(x, y, e_c, e_b).log_e - 1e-6


@FEW
@given(EITHER, st.lists(WINDOW, max_size=6), WINDOW, st.integers(1, 20))
def test_more_on_the_old_side_never_raises_e(
    prior: RatioPrior, windows: list[tuple[float, float, float, float]], last: tuple[float, ...], more: int
) -> None:
    x, y, e_c, e_b = last
    before = after(prior, windows)
    assert before.update(x, y + more, e_c, e_b).log_e <= before.update(x, y, e_c, e_b).log_e + 1e-6


@FEW
@given(EITHER, WINDOW, st.floats(0.05, 0.95), st.integers(0, 60), st.integers(0, 60))
def test_splitting_a_window_of_one_exposure_ratio_changes_nothing(
    prior: RatioPrior, window: tuple[float, ...], share: float, x_part: int, y_part: int
) -> None:
    x, y, e_c, e_b = window
    first = (min(x_part, x), min(y_part, y), e_c * share, e_b * share)
    rest = (x - first[0], y - first[1], e_c * (1 - share), e_b * (1 - share))
    assert after(prior, [first, rest]).log_e == pytest.approx(after(prior, [(x, y, e_c, e_b)]).log_e, abs=1e-6)


@FEW
@given(EITHER, st.lists(WINDOW, min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_windows_does_not_matter(
    prior: RatioPrior, windows: list[tuple[float, float, float, float]], random: object
) -> None:
    assert after(prior, windows[::-1]).log_e == pytest.approx(after(prior, windows).log_e, abs=1e-6)


@FEW
@given(EITHER, st.lists(WINDOW, min_size=1, max_size=6))
def test_quantiles_of_rho_rise_with_their_share(
    prior: RatioPrior, windows: list[tuple[float, float, float, float]]
) -> None:
    rho = after(prior, windows).rho()
    found = [rho.quantile(share) for share in (0.05, 0.25, 0.5, 0.75, 0.95)]
    assert found == sorted(found)
    assert 0.2 < found[0] <= found[-1] < 1300


@pytest.mark.parametrize("n", [1, 5, 30])
@pytest.mark.parametrize(("rho", "rho0"), [(1.0, 1.0), (0.7, 1.0), (1.5, 1.5), (1.2, 1.5)])
def test_the_mean_of_e_under_h0_is_at_most_one(n: int, rho: float, rho0: float) -> None:
    s = np.linspace(-6, 6, 4001)
    belief = stats.f.pdf(np.exp(s), 32, 128) * np.exp(s) * (s[1] - s[0])
    share = rho * np.exp(s) / (rho * np.exp(s) + 4)
    chances = [float(np.sum(belief * stats.binom.pmf(x, n, share))) for x in range(n + 1)]
    fresh = EProcess.of(PRIOR, rho0=rho0)
    mean = sum(chance * fresh.update(x, n - x, 1, 4).e_value for x, chance in enumerate(chances))
    assert mean <= 1 + 1e-6
    if rho == rho0:
        assert mean == pytest.approx(1.0, abs=1e-6)


def most(rng: np.random.Generator, *, rate: float, past: int, rho: float = 1.0, windows: int = 40) -> float:
    """The greatest log E for who looks in every second window, while hosts differ by 25 % and load comes in waves."""
    hosts = rng.gamma(16, 1 / 16, 5)
    waves = [rate * math.exp(0.5 * math.sin(w / 9)) for w in range(past + windows)]
    before = [Window(int(rng.poisson(v * hosts[0])), int(rng.poisson(v * hosts[1:].sum())), 1, 4) for v in waves[:past]]
    hosts = hosts * np.exp(rng.normal(0, 0.09, 5)) if past else hosts
    e, top = EProcess.of(PRIOR.after(before), rho0=1.0), 0.0
    for w, v in enumerate(waves[past:]):
        e = e.update(int(rng.poisson(rho * v * hosts[0])), int(rng.poisson(v * hosts[1:].sum())), 1, 4)
        top = max(top, e.log_e if w % 2 else 0.0)
    return top


@pytest.mark.parametrize(("rate", "past"), [(0.3, 0), (3.0, 0), (300.0, 0), (0.3, 60), (3.0, 60), (300.0, 60)])
def test_looking_all_the_time_raises_few_false_alarms(rate: float, past: int) -> None:
    rng = np.random.default_rng(20240917)
    tops = [most(rng, rate=rate, past=past) for _ in range(150)]
    # The bound is 5 %; what was measured with many more is 0 to 2 %, so 5 % of these leaves room for luck alone.
    assert sum(top >= math.log(20) for top in tops) <= 0.05 * len(tops)


def test_a_real_fault_is_found_where_the_false_alarms_are_few() -> None:
    rng = np.random.default_rng(5)
    tops = [most(rng, rate=3.0, past=60, rho=3.0) for _ in range(30)]
    assert sum(top >= math.log(1000) for top in tops) >= 29


def test_the_mean_of_e_over_random_clean_rollouts_is_at_most_one() -> None:
    rng = np.random.default_rng(77)
    total = 0.0
    for _ in range(400):
        hosts = rng.gamma(16, 1 / 16, 5)
        e = EProcess.of(PRIOR, rho0=1.0)
        for _ in range(5):
            e = e.update(int(rng.poisson(2 * hosts[0])), int(rng.poisson(2 * hosts[1:].sum())), 1, 4)
        total += e.e_value
    assert total / 400 <= 1.0


def waves(rng: np.random.Generator, rate: float) -> float:
    """The greatest log E over four waves of a clean rollout, each judged with the past of the hosts then new."""
    hosts = rng.gamma(16, 1 / 16, 8)
    before = rng.poisson(rate * hosts, size=(30, 8))
    hosts = hosts * np.exp(rng.normal(0, 0.09, 8))
    e: EProcess | None = None
    top = 0.0
    for new in (1, 2, 4, 6):
        past = Window(float(before[:, :new].sum()), float(before[:, new:].sum()), new, 8 - new)
        prior = RatioPrior.of_hosts(16, new=new, old=8 - new).after([past])
        e = EProcess.of(prior) if e is None else e.next_stage(prior)
        for _ in range(8):
            x, y = rng.poisson(rate * hosts[:new].sum()), rng.poisson(rate * hosts[new:].sum())
            e = e.update(int(x), int(y), new, 8 - new)
            top = max(top, e.log_e)
    return top


@pytest.mark.parametrize("rate", [1.0, 100.0])
def test_a_clean_rollout_in_waves_raises_few_false_alarms(rate: float) -> None:
    rng = np.random.default_rng(9)
    tops = [waves(rng, rate) for _ in range(80)]
    assert sum(top >= math.log(20) for top in tops) <= 0.05 * len(tops)


@pytest.mark.parametrize("rate", [0.1, 0.5, 3.0])
def test_an_incident_that_all_hosts_share_is_not_held_against_the_release(rate: float) -> None:
    rng = np.random.default_rng(31)
    blamed = 0
    for _ in range(100):
        hosts = rng.gamma(16, 1 / 16, 5)
        unit = Newcomer.of(PRIOR, history=1800)
        for _ in range(30):
            unit = unit.update(int(rng.poisson(rate * hosts[0])), int(rng.poisson(rate * hosts[1:].sum())), 1, 4)
            if unit.enough and unit.log_e >= math.log(1 / 0.0075):
                blamed += 1
                break
    assert blamed <= 3


@FEW
@given(st.lists(WINDOW, min_size=1, max_size=6))
def test_history_never_proves_more_than_an_incident_allows(windows: list[tuple[float, float, float, float]]) -> None:
    unit = Newcomer.of(PRIOR, history=1e6)
    for window in windows:
        unit = unit.update(*window)
    assert unit.log_e <= unit.now.log_e + math.log(0.8 / INCIDENT) + 1e-9


@FEW
@given(EITHER, st.lists(WINDOW, min_size=1, max_size=6))
def test_noise_is_never_silence_and_noise_at_once(
    prior: RatioPrior, windows: list[tuple[float, float, float, float]]
) -> None:
    quiet = Silence.of(prior)
    for window in windows:
        quiet = quiet.update(*window)
    assert min(quiet.log_e, after(prior, windows).log_e) < math.log(20)

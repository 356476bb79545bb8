from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from noonday_coordinator.config import Policies, hash_token, load
from noonday_coordinator.init import Made, init, new_token
from noonday_shared.errors import BadInput
from noonday_shared.keys import SigningKey

BROKER = 'amqp://noonday:p"ss\\word@127.0.0.1:5672/noonday'


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return init(tmp_path / "noonday", broker_url=BROKER)


def refusal(path: Path, old: str, new: str) -> BadInput:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(BadInput) as caught:
        load(path)
    return caught.value


def test_what_init_made_can_be_used_as_it_is(made: Made) -> None:
    config = load(made.config)
    folder = made.config.parent
    assert config.broker.url == BROKER
    assert (config.data_dir, config.apps_dir) == (folder / "data", folder / "apps")
    assert config.http.address == ("127.0.0.1", 7676)
    assert config.http.base_url == "http://127.0.0.1:7676"
    assert SigningKey.load(config.coordinator_key_file)
    assert config.trusted_releases == (SigningKey.load(made.release_key).public,)
    assert Policies(config.apps_dir).of("web").examine == 600


def test_every_key_of_the_annotated_files_exists_also_those_in_comments(made: Made) -> None:
    text = made.config.read_text()
    for comment in ("# ca_file", "# agents_url", "# public_url"):
        assert comment in text
        text = text.replace(comment, comment.removeprefix("# "))
    made.config.write_text(text)
    config = load(made.config)
    assert config.broker.ca_file == made.config.parent / "ca.pem"
    policy = made.policy.read_text()
    for comment in ("# min_healthy", "# gates", "# on_regression"):
        assert comment in policy
        policy = policy.replace(comment, comment.removeprefix("# "))
    made.policy.write_text(policy)
    assert Policies(made.policy.parent).of("web").gates == ("canary",)


def test_the_token_is_named_and_only_its_hash_is_kept(made: Made) -> None:
    config = load(made.config)
    assert config.name_of(made.token) == made.token_name == "admin"
    assert config.name_of(made.token + "x") is None
    assert config.name_of("") is None
    assert config.name_of("é") is None
    every = "".join(path.read_text() for path in made.config.parent.rglob("*") if path.is_file())
    assert made.token not in every
    assert hash_token(made.token) in every


def test_another_token_is_a_table_to_append(made: Made) -> None:
    token, table = new_token('bob "the builder"')
    made.config.write_text(made.config.read_text() + table)
    config = load(made.config)
    assert config.name_of(token) == 'bob "the builder"'
    assert config.name_of(made.token) == "admin"


def test_keys_and_passwords_are_for_their_owner_alone(made: Made) -> None:
    folder = made.config.parent
    for name in ("coordinator.toml", "coordinator.key", "release.key"):
        assert (folder / name).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("kept", ["coordinator.toml", "coordinator.key", "release.key", "apps/web.toml"])
def test_init_never_overwrites_anything(tmp_path: Path, kept: str) -> None:
    path = tmp_path / kept
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    with pytest.raises(BadInput, match="there already"):
        init(tmp_path, broker_url=BROKER)
    assert path.read_text() == "mine"
    assert [found.name for found in tmp_path.rglob("*") if found.is_file()] == [path.name]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("data_dir", "data_dri", "unknown key data_dri (did you mean 'data_dir'?)"),
        ('\nlisten = "127', '\nlistn = "127', "unknown key http.listn (did you mean 'listen'?)"),
        ("sha256 =", "sha265 =", "unknown key tokens.0.sha265 (did you mean 'sha256'?)"),
        ('listen = "127.0.0.1:7676"', 'listen = "7676"', "must be host:port"),
        ("amqp://", "http://", "broker.url"),
        ('release_keys = ["', 'release_keys = ["A', "release_keys.0"),
        ('sha256 = "', 'sha256 = "z', "tokens.0.sha256"),
    ],
)
def test_a_mistake_is_named_with_its_file_key_and_nearest_known_key(made: Made, old: str, new: str, words: str) -> None:
    error = refusal(made.config, old, new)
    assert words in error.text
    assert str(made.config) in error.text


def test_a_refused_file_never_shows_the_broker_password(made: Made) -> None:
    error = refusal(made.config, "amqp://", "http://")
    assert "word" not in str(error)


def test_two_tokens_of_one_name_are_refused(made: Made) -> None:
    made.config.write_text(made.config.read_text() + new_token("admin")[1])
    with pytest.raises(BadInput, match="same name"):
        load(made.config)


def test_an_ipv6_address_may_be_listened_on(made: Made) -> None:
    text = made.config.read_text().replace("127.0.0.1:7676", "[::1]:7676")
    made.config.write_text(text)
    assert load(made.config).http.address == ("::1", 7676)


def test_an_edited_policy_counts_at_the_next_use(made: Made) -> None:
    policies = Policies(made.policy.parent)
    assert policies.of("web").canary == 1
    made.policy.write_text(made.policy.read_text().replace("canary = 1 ", "canary = 2 "))
    assert policies.of("web").canary == 2


def test_a_policy_with_an_unknown_key_names_file_and_nearest_key(made: Made) -> None:
    made.policy.write_text(made.policy.read_text() + "max_unavailble = 2\n")
    error = Policies(made.policy.parent).trouble("web")
    assert error is not None
    assert f"{made.policy}: unknown key max_unavailble (did you mean 'max_unavailable'?)." == error.text


def test_an_unknown_app_is_refused_with_the_nearest_name(made: Made) -> None:
    policies = Policies(made.policy.parent)
    for name in ("wep", "../web", "", "WEB"):
        with pytest.raises(BadInput) as caught:
            policies.of(name)
        assert caught.value.rule == "no-such-app"
    with pytest.raises(BadInput, match="did you mean 'web'"):
        policies.of("wep")
    assert policies.names() == ("web",)


def test_a_policy_in_a_file_of_another_name_is_refused(made: Made) -> None:
    other = made.policy.with_name("api.toml")
    other.write_text(made.policy.read_text())
    with pytest.raises(BadInput, match="named after its app"):
        Policies(made.policy.parent).of("api")


def test_the_made_files_are_toml_also_with_odd_characters(tmp_path: Path) -> None:
    made = init(tmp_path, broker_url=BROKER, by='a"b\\c')
    assert tomllib.loads(made.config.read_text())["tokens"][0]["name"] == 'a"b\\c'

"""What the documentation says can be typed, followed and trusted."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from docs import generate_config
from noonday_agent.config import AgentConfig, App
from noonday_coordinator.config import CoordinatorConfig
from noonday_coordinator.core.policy import Policy
from noonday_shared.config import Settings
from noonday_shared.release.manifest import ReleaseManifest
from support.command_lines import in_markdown, trouble

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_TOML = re.compile(r"^```toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_command_line_shown_is_one_that_the_commands_take(page: Path) -> None:
    refused = {" ".join(words): why for words in in_markdown(page.read_text()) if (why := trouble(words))}
    assert not refused


def test_the_readme_and_the_manual_show_commands_at_all() -> None:
    assert len(in_markdown((ROOT / "README.md").read_text())) > 8
    assert len(in_markdown((ROOT / "docs" / "cli.md").read_text())) > 20


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("noonday deplot web 1.0.0", "no command"),
        ("noonday deploy web", "without"),
        ("noonday deploy web 1.0.0 now", "too many"),
        ("noonday deploy web 1.0.0 --force", "--force"),
        ("noonday release build ./shop", "version"),
        ("sudo -u noonday /opt/bin/noonday serv", "no command"),
        ("noonday hosts && noonday-agent chekc", "chekc"),
        ("noonday-agent run --conf=x --verbose", "--verbose"),
    ],
)
def test_a_command_line_that_would_be_refused_is_noticed(line: str, why: str) -> None:
    assert any(why in trouble(words) for words in in_markdown(f"Type `{line}`."))


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_inside_the_documentation_leads_somewhere(page: Path) -> None:
    assert not [link for link in _LINK.findall(page.read_text()) if "://" not in link and not _leads(page, link)]


def test_the_page_of_configuration_keys_is_the_one_that_the_models_make() -> None:
    assert generate_config.PAGE.read_text(encoding="utf-8") == generate_config.render(), (
        "run: python docs/generate_config.py"
    )


@pytest.mark.parametrize("model", [AgentConfig, CoordinatorConfig, Policy, ReleaseManifest])
def test_every_configuration_key_says_what_it_means(model: type[Settings]) -> None:
    assert not generate_config.undescribed(model)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_piece_of_agent_toml_shown_is_one_that_the_agent_takes(page: Path) -> None:
    for text in _TOML.findall(page.read_text()):
        raw = tomllib.loads(text)
        table = raw.get("apps", {}).get("web", raw)
        least = {
            "root": "/srv/web",
            "process": {"kind": "systemd", "unit": "web.service"},
            "health": {"url": "http://127.0.0.1:8000"},
        }
        assert App.model_validate(least | table)


def test_every_rule_that_troubleshooting_explains_exists_in_the_code() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    cells = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    rules = {rule for cell in cells for rule in re.findall(r"`([a-z-]+)`", cell)}
    code = "".join(path.read_text() for part in ("shared", "agent", "coordinator") for path in _sources(part))
    assert len(rules) > 60
    assert not [rule for rule in sorted(rules) if f'"{rule}"' not in code and not _made(rule, code)]


def _leads(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    return target.exists() and (not anchor or anchor in _anchors(target))


def _anchors(page: Path) -> set[str]:
    """As code hosts make them from headings."""
    words = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(page.read_text()))
    return {word.strip().replace(" ", "-") for word in words}


def _sources(part: str) -> list[Path]:
    return sorted((ROOT / part / "src").rglob("*.py"))


def _made(rule: str, code: str) -> bool:
    """Put together in the code, as in f"balancer-unknown-{what}"."""
    return f'f"{rule.rpartition("-")[0]}-{{' in code

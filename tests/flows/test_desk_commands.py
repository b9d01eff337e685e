"""The desk's commands as a clerk runs them: own processes, on the storage emulator."""

from __future__ import annotations

import json
import re
from decimal import Decimal

import pytest

from connector.decisions.states import Status
from tests.flows.test_command_line import Desk, desk

pytestmark = pytest.mark.azurite
__all__ = ["desk"]


def test_parked_shows_each_cause_with_its_count_amount_and_age(desk: Desk) -> None:
    done = desk.run("parked")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.stdout.splitlines() if "│" in line]
    causes = {(one.entity.value, cause): count for one in desk.seen.entities for cause, count in one.causes.items()}
    assert {(row[2], row[0]): int(row[3]) for row in rows} == causes
    for row in rows:
        assert re.fullmatch(r"-?\d+(\.\d+)? [A-Z]{3}(, .*)?", row[4])
        assert re.fullmatch(r"0 h \d+ min", row[5])
    total = sum(one.counts[Status.PARKED] for one in desk.seen.entities)
    assert f"{total} parked in all." in done.stdout


def test_parked_with_a_number_says_why_and_what_to_do(desk: Desk) -> None:
    number = parked_number(desk)
    done = desk.run("parked", number)
    assert done.returncode == 0
    assert number in done.stdout
    assert re.search(r"  [A-Z_]+(?: \(line \d+\))?: .* then replay\.", done.stdout)


def test_parked_as_json_is_what_a_mail_rule_can_work_with(desk: Desk) -> None:
    done = desk.run("parked", "--json")
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert len(found) == sum(one.counts[Status.PARKED] for one in desk.seen.entities)
    for one in found:
        assert Decimal(one["amount"])
        assert one["hours"] >= 0
        assert all(reason["code"] and reason["message"] and reason["remedy"] for reason in one["reasons"])
    (alone,) = json.loads(desk.run("parked", found[0]["id"], "--json").stdout)
    assert alone["number"] == found[0]["number"]


def parked_number(desk: Desk) -> str:
    line = next(line for line in desk.run("parked").stdout.splitlines() if "│" in line)
    return line.split("│")[7].split(",")[0].split(" and ")[0].strip()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("replay",), "Say which documents to replay"),
        (("replay", "--all", "--code", "X"), "--all means every parked document"),
        (("replay", "--code", "NO_SUCH_CODE"), "Nothing that is parked fits."),
        (("replay", "--from", "soon"), "--from: soon is no day"),
        (("discard", "--why", " ", "--all"), "--why must say something"),
        (("discard", "--why", "old"), "Say which documents to discard"),
    ],
)
def test_what_is_not_said_clearly_is_not_done(desk: Desk, arguments: tuple[str, ...], said: str) -> None:
    done = desk.run(*arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_number_that_is_not_parked_keeps_everything_as_it_is(desk: Desk) -> None:
    number = parked_number(desk)
    done = desk.run("replay", number, "nothing-of-the-kind")
    assert done.returncode == 1
    assert "Not parked: nothing-of-the-kind. Nothing was done." in done.stderr
    assert number in desk.run("parked").stdout


def test_replay_and_discard_stand_in_the_trail_with_who_and_why_and_verify_finds_all_whole(desk: Desk) -> None:
    first = parked_number(desk)
    done = desk.run("discard", first, "--why", "belongs to another company", "--who", "clerk")
    assert (done.returncode, done.stdout.strip()) == (0, "1 document is discarded.")
    trail = desk.run("trail", first).stdout
    assert "discarded" in trail
    assert "who: clerk" in trail
    assert "why: belongs to another company" in trail
    done = desk.run("replay", "--all", "--why", "mended", "--who", "clerk")
    assert done.returncode == 0, done.stderr
    assert re.match(r"\d+ documents? (is|are) on (its|their) way", done.stdout)
    assert desk.run("parked").stdout.strip() == "Nothing is parked."
    done = desk.run("verify")
    assert done.returncode == 0, done.stdout
    assert "0 broken trails." in done.stdout

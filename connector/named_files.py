"""The files that settings name: profiles, translation tables, what an administrator exported of an instance. Each is read
whole and checked, and every fault of it is told at once."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from connector.decisions.alignment_actions import Rules
from connector.decisions.severity import SEVERITY
from connector.errors import SettingsFault
from connector.model.alignment import AlignmentFile, Ownership
from connector.model.catalog import Attestation
from connector.model.checks import Checks
from connector.model.profile import Profile, Translations

_HEADER = re.compile(r"\s*\[([^\[\]]+)\]")
_KEY = re.compile(r"\s*([\w\".-]+)\s*=")

Model = TypeVar("Model", bound=BaseModel)


def load_profile(name_or_path: str) -> Profile:
    """A shipped profile by its name, or a profile of your own by its path. Raises `SettingsFault`."""
    shipped = resources.files("connector.profiles") / f"{name_or_path}.toml"
    if name_or_path.isidentifier() and shipped.is_file():
        return _parsed(Profile, shipped.read_text("utf-8"), f"the profile {name_or_path}")
    return _parsed(Profile, _file(name_or_path, "PROFILE"), f"the profile {name_or_path}")


def load_translations(path: str) -> Translations:
    """The translation tables in the file; empty ones without a path. Raises `SettingsFault`."""
    if not path:
        return Translations()
    return _parsed(Translations, _file(path, "TRANSLATIONS"), f"the translations file {path}")


def load_checks(path: str, companies: Collection[str]) -> Checks:
    """The checks in the file, for the companies with these keys; the default ones without a path. Raises `SettingsFault`."""
    if not path:
        return Checks()
    what = f"the checks file {path}"
    checks = _parsed(Checks, _file(path, "CHECKS"), what)
    faults = [
        f"  - severity.{code}: no fault whose severity can be set is called so; there are {', '.join(sorted(SEVERITY))}"
        for code in sorted(set(checks.severity) - set(SEVERITY))
    ]
    faults += [
        f"  - companies.{key}: COMPANIES has no company with this key"
        for key in sorted(set(checks.companies) - set(companies))
    ]
    if faults:
        raise SettingsFault(f"{what} is not right:\n" + "\n".join(faults))
    return checks


def load_alignment(path: str, companies: Collection[str], profile: Profile) -> Mapping[str, Rules]:
    """How the companies in the file are aligned, by key; none without a path. Raises `SettingsFault`."""
    if not path:
        return {}
    what = f"the alignment file {path}"
    found = _parsed(AlignmentFile, _file(path, "ALIGNMENT"), what).companies
    unknown = sorted(set(found) - set(companies))
    faults = [f"  - companies.{key}: COMPANIES has no company with this key" for key in unknown]
    if profile.cost_centres is None:
        faults.append("  - the profile has no section cost_centres, which says where they are in ServiceNow")
    section = profile.master_data.cost_centres
    tells_parents = section is not None and any(one.value == "value.parent_code" for one in section.columns.values())
    faults += [
        f"  - companies.{key}.parent: no column of the profile's master_data.cost_centres holds value.parent_code, so that "
        "BC's hierarchy cannot be told to ServiceNow"
        for key, one in sorted(found.items())
        if one.parent == "business_central" and not tells_parents
    ]
    if faults:
        raise SettingsFault(f"{what} is not right:\n" + "\n".join(faults))
    return {
        key: Rules(
            Ownership(exists=one.exists, name=one.name, parent=one.parent, blocked=one.blocked),
            one.code_column,
            one.block_when_gone,
        )
        for key, one in found.items()
    }


def load_attestation(path: str) -> Attestation | None:
    """What an administrator exported of the instance; None without a path. Raises `SettingsFault`."""
    if not path:
        return None
    try:
        return Attestation.model_validate_json(_file(path, "SN_METADATA"))
    except ValidationError:
        raise SettingsFault(
            f"SN_METADATA: {path} is no export of this version; make it anew: python -m connector check --export-metadata FILE"
        ) from None


def _file(path: str, setting: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsFault(f"{setting}: {path} cannot be read ({type(error).__name__})") from None


def _parsed(model: type[Model], text: str, what: str) -> Model:
    try:
        return model.model_validate(tomllib.loads(text, parse_float=Decimal))
    except tomllib.TOMLDecodeError as error:
        raise SettingsFault(f"{what} is not TOML: {error}") from None
    except ValidationError as error:
        lines = [
            f"  - {_place(text, [str(part) for part in fault['loc']])}: {fault['msg']}" for fault in error.errors()
        ]
        raise SettingsFault(f"{what} is not right:\n" + "\n".join(lines)) from None


def _place(text: str, path: Sequence[str]) -> str:
    """How a fault's place in a TOML file is called: its path, and the line that comes nearest to it."""
    if not path:
        return "file"
    nearest, line = 0, 0
    table: list[str] = []
    for number, content in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(content):
            here = table = _names(header[1])
        elif key := _KEY.match(content):
            here = [*table, *_names(key[1])]
        else:
            continue
        if len(here) > nearest and here == list(path[: len(here)]):
            nearest, line = len(here), number
    return ".".join(path) + (f" (line {line})" if line else "")


def _names(dotted: str) -> list[str]:
    return [quoted or bare for quoted, bare in re.findall(r'"([^"]*)"|([\w-]+)', dotted)]

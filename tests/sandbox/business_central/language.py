"""Messages in a second language: what a caller with ``Accept-Language: de-DE`` reads instead of the English text.

Codes and statuses never change with the language, which is the point: a client that reads texts fails here. Texts of the
platform's OData layer are not translated by the service either.
"""

from __future__ import annotations

import re
from functools import lru_cache

# English to German; a brace pair stands for whatever the message names, in the same order in both.
_GERMAN = {
    "The server has rejected the client credentials.": "Der Server hat die Anmeldeinformationen des Clients abgelehnt.",
    "The credentials provided are incorrect": "Die angegebenen Anmeldeinformationen sind falsch",
    "Access to the requested resource is denied.": "Der Zugriff auf die angeforderte Ressource wurde verweigert.",
    "Another user has already changed the record.": "Ein anderer Benutzer hat den Datensatz bereits geändert.",
    "The {} does not exist. Identification fields and values: {}": (
        "{} ist nicht vorhanden. Identifikationsfelder und -werte: {}"
    ),
    "The {} already exists. Identification fields and values: {}": (
        "{} ist bereits vorhanden. Identifikationsfelder und -werte: {}"
    ),
    "Control '{}' is read-only.": "Das Steuerelement '{}' ist schreibgeschützt.",
    "The length of the string is {}, but it must be less than or equal to {} characters. Value: {}": (
        "Die Länge der Zeichenfolge ist {}, sie muss jedoch kleiner oder gleich {} Zeichen sein. Wert: {}"
    ),
    "Sorry, the current permissions prevented the action. {}": (
        "Die aktuellen Berechtigungen haben die Aktion verhindert. {}"
    ),
    "You do not have permissions to read {}.": "Sie haben keine Berechtigung zum Lesen von {}.",
    "Can't process the request because the default company can't be found. {}": (
        "Die Anforderung kann nicht verarbeitet werden, da der Standardmandant nicht gefunden wurde. {}"
    ),
    "The tenant '{}' is not accessible": "Auf den Mandanten '{}' kann nicht zugegriffen werden",
    "Too many requests reached. Actual ({}). Maximum ({}).": "Zu viele Anforderungen. Tatsächlich ({}). Maximum ({}).",
    "You must specify an Id or a Document Id to get the lines.": (
        "Sie müssen eine ID oder eine Beleg-ID angeben, um die Zeilen abzurufen."
    ),
    "You must get to the parent first to get to the {}.": (
        "Sie müssen zuerst das übergeordnete Element abrufen, um zu {} zu gelangen."
    ),
    "You must get to the parent first to create a dimension set line.": (
        "Sie müssen zuerst das übergeordnete Element abrufen, um eine Dimensionssatzzeile zu erstellen."
    ),
    "Parent with ID {} does not exist or dimension set lines are read only for parent type {}.": (
        "Das übergeordnete Element mit der ID {} ist nicht vorhanden, oder Dimensionssatzzeilen sind für den Typ {} "
        "schreibgeschützt."
    ),
    "Parent with ID {} does not exist.": "Das übergeordnete Element mit der ID {} ist nicht vorhanden.",
    'The "{}" or "{}" field must be filled in.': 'Das Feld "{}" oder "{}" muss ausgefüllt werden.',
    'The "{}" and "{}" fields cannot be modified.': 'Die Felder "{}" und "{}" können nicht geändert werden.',
    'The "{}" does not match to a {}.': '"{}" stimmt mit keinem Datensatz in {} überein.',
    "The {} values do not match to a specific {}.": "Die Werte für {} stimmen mit keinem Datensatz in {} überein.",
    "The dimension set line already exists. {}": "Die Dimensionssatzzeile ist bereits vorhanden. {}",
    'A "{}" or a "{}" must be provided.': '"{}" oder "{}" muss angegeben werden.',
    "The {} cannot be found.": "{} wurde nicht gefunden.",
    'The "id" cannot be changed.': 'Die "id" kann nicht geändert werden.',
    'The value for "{}" cannot be modified.': 'Der Wert für "{}" kann nicht geändert werden.',
    "The value for sequence cannot be modified. Delete and insert the line again.": (
        "Der Wert für sequence kann nicht geändert werden. Löschen Sie die Zeile, und fügen Sie sie erneut ein."
    ),
    'Both "{}" and "{}" are specified. Specify only one of them.': (
        '"{}" und "{}" wurden angegeben. Geben Sie nur einen der Werte an.'
    ),
    "Item does not exist.": "Artikel ist nicht vorhanden.",
    "Account does not exist.": "Konto ist nicht vorhanden.",
    "Dimension Value {} is blocked.": "Dimensionswert {} ist gesperrt.",
    "Dimension Value {} is missing.": "Dimensionswert {} fehlt.",
    "Dimension Value Type for Dimension Value {} must not be {}.": (
        "Die Dimensionswertart für den Dimensionswert {} darf nicht {} sein."
    ),
    "The document has been posted and cannot be changed.": "Der Beleg wurde gebucht und kann nicht geändert werden.",
    "The action can be applied to a draft invoice only.": (
        "Die Aktion kann nur auf eine Entwurfsrechnung angewendet werden."
    ),
    'The "pricesIncludeTax" cannot be set to true if VAT Calculation Type is Sales Tax.': (
        '"pricesIncludeTax" kann nicht auf True festgelegt werden, wenn die MwSt.-Berechnungsart Verkaufssteuer ist.'
    ),
    "The request waited too long for its turn.": "Die Anforderung hat zu lange gewartet.",
}


def in_language(message: str, accepted: str) -> str:
    """The message in the language that an Accept-Language header prefers, in English where no translation is known."""
    if not accepted.strip().lower().startswith("de"):
        return message
    for pattern, german in _patterns():
        match = pattern.fullmatch(message)
        if match is not None:
            return german.format(*match.groups())
    return message


@lru_cache(maxsize=1)
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    # The most telling first: a text with more fixed letters wins over a looser one that would fit too.
    ordered = sorted(_GERMAN.items(), key=lambda each: len(each[0].replace("{}", "")), reverse=True)
    return [
        (re.compile("(.+)".join(map(re.escape, english.split("{}"))), re.DOTALL), german) for english, german in ordered
    ]

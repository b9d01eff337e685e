"""The probe of Business Central: a few cheap reads that tell whether everything a run needs can be had. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from connector.business_central.odata import guid, literal, query
from connector.business_central.session import BusinessCentralSession
from connector.business_central.stretches import Stretch, address, columns, set_path
from connector.model.feeds import Feed
from connector.setting_words import Company


@dataclass(frozen=True, slots=True)
class Companies:
    """The companies of an environment by id, its version ("" when it does not tell), and its clock."""

    names: dict[str, str]
    version: str
    at: datetime


class Probe:
    """Asks one environment. Every method raises what `BusinessCentralSession.pages` raises."""

    def __init__(self, session: BusinessCentralSession) -> None:
        self._session = session

    def authenticate(self) -> None:
        """Fetches a token when there is none."""
        self._session.authenticate()

    def companies(self) -> Companies:
        """What companies there are."""
        pages = list(self._session.pages(f"companies?{query(select='id,name,systemVersion')}", page_size=1000))
        rows = [row for page in pages for row in page.rows]
        names = {str(row.get("id", "")).lower(): str(row.get("name", "")) for row in rows}
        return Companies(names, next((str(row.get("systemVersion") or "") for row in rows), ""), pages[0].at)

    def newest(self, company: Company, feed: Feed) -> str:
        """The id of the newest record of a feed, read as a poll reads it; "" when there is none."""
        stretch = Stretch(None, newest_first=True)
        path = address(company, feed, stretch, columns(feed), top="1")
        for page in self._session.pages(path, page_size=1):
            for row in page.rows:
                return guid(str(row["id"]))
        return ""

    def has_dimension(self, company: Company) -> bool:
        """Whether the company has the dimension that holds its cost centres."""
        condition = f"code eq {literal(company.cost_centre_dimension)}"
        path = f"{set_path(company, 'dimensions')}?{query(filter=condition, select='id,code', top='1')}"
        return any(page.rows for page in self._session.pages(path, page_size=1))

"""What the two sample companies buy, from whom and in which words: plain facts in the manner of the public CRONUS demo data."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

D = Decimal


@dataclass(frozen=True)
class Vendor:
    """A vendor: what the documents repeat of it, its currency (blank = local) and payment terms."""

    number: str
    name: str
    street: str
    city: str
    state: str
    country: str
    post_code: str
    terms: str
    currency: str = ""
    share: int = 3


@dataclass(frozen=True)
class Article:
    """Something a line can be about: `kind` is the line type, `cost` the unit cost in local currency."""

    kind: str
    number: str
    description: str
    unit: str
    cost: Decimal
    tax_code: str


@dataclass(frozen=True)
class Account:
    """A G/L account."""

    number: str
    name: str
    category: str
    kind: str = "Posting"
    blocked: bool = False


@dataclass(frozen=True)
class Currency:
    """A foreign currency: how many decimals are shown, what amounts are rounded to, units for one of the local currency."""

    name: str
    symbol: str
    decimal_places: str
    precision: Decimal
    rate: Decimal


@dataclass(frozen=True)
class Blueprint:
    """One company of the sample."""

    key: str
    name: str
    erp_source: str
    entity_code: str
    currency: str
    symbol: str
    country: str
    address: tuple[str, str, str, str, str]
    vendors: tuple[Vendor, ...]
    articles: tuple[Article, ...]
    accounts: tuple[Account, ...]
    tax_percents: dict[str, Decimal]
    currencies: tuple[str, ...]
    projects: tuple[tuple[str, str], ...]
    orders: int
    invoices: int


TERMS = {
    "CM": ("Current Month", "CM", "", D(0)),
    "COD": ("Cash on delivery", "0D", "", D(0)),
    "1M(8D)": ("1 Month/2% 8 days", "1M", "8D", D(2)),
    "7 DAYS": ("Net 7 days", "7D", "", D(0)),
    "14 DAYS": ("Net 14 days", "14D", "", D(0)),
    "21 DAYS": ("Net 21 days", "21D", "", D(0)),
    "30 DAYS": ("Net 30 days", "30D", "", D(0)),
    "60 DAYS": ("Net 60 days", "60D", "", D(0)),
}
UNTRANSLATED_TERMS = "21 DAYS"

CURRENCIES = {
    "CAD": Currency("Canadian dollar", "$", "2:2", D("0.01"), D("1.37")),
    "CHF": Currency("Swiss franc", "CHF", "2:2", D("0.01"), D("0.95")),
    "EUR": Currency("Euro", "€", "2:2", D("0.01"), D("0.92")),
    "GBP": Currency("Pound sterling", "£", "2:2", D("0.01"), D("0.79")),
    "JPY": Currency("Japanese yen", "¥", "0:0", D("1"), D("151")),
    "KWD": Currency("Kuwaiti dinar", "KD", "3:3", D("0.001"), D("0.307")),
    "USD": Currency("US dollar", "$", "2:2", D("0.01"), D("1.09")),
}

UNITS = {
    "PCS": ("Piece", "EA"),
    "BOX": ("Box", "BX"),
    "KG": ("Kilo", "KGM"),
    "HOUR": ("Hour", "HUR"),
    "M": ("Metre", "MTR"),
}

WAREHOUSES = {"EAST": "East Warehouse", "WEST": "West Warehouse", "MAIN": "Main Warehouse"}

# Dimension values: code, name, type, blocked. Documents use Standard values that are not blocked.
DIMENSIONS: dict[str, tuple[str, tuple[tuple[str, str, str, bool], ...]]] = {
    "DEPARTMENT": (
        "Department",
        (
            ("00", "Departments", "Heading", False),
            ("ADM", "Administration", "Standard", False),
            ("PROD", "Production", "Standard", False),
            ("PURCHASING", "Purchasing", "Standard", False),
            ("SALES", "Sales", "Standard", False),
            ("WAREHOUSE", "Warehouse", "Standard", False),
            ("WORKSHOP", "Workshop", "Standard", True),
        ),
    ),
    "AREA": (
        "Area",
        (
            ("10", "Europe", "Begin-Total", False),
            ("30", "Europe North", "Standard", False),
            ("40", "Europe South", "Standard", False),
            ("55", "Europe, total", "End-Total", False),
            ("70", "America North", "Standard", False),
        ),
    ),
}

US = Blueprint(
    key="US",
    name="CRONUS USA, Inc.",
    erp_source="BC-US",
    entity_code="US01",
    currency="USD",
    symbol="$",
    country="US",
    address=("7122 South Ashford Street", "Westminster", "Atlanta", "GA", "31772"),
    vendors=(
        Vendor("10000", "Fabrikam, Inc.", "10 North Lake Avenue", "Atlanta", "GA", "US", "31772", "1M(8D)", share=5),
        Vendor("20000", "First Up Consultants", "100 Day Drive", "Chicago", "IL", "US", "61236", "30 DAYS", share=5),
        Vendor("30000", "Graphic Design Institute", "15 Abbey Road", "Miami", "FL", "US", "37125", "30 DAYS"),
        Vendor("40000", "Wide World Importers", "3 Market Street", "Chicago", "IL", "US", "61236", "14 DAYS", share=5),
        # No supplier in ServiceNow: its two orders are placed by hand, share 0 keeps the generator away.
        Vendor("50000", "Nod Publishers", "8 Print Lane", "Miami", "FL", "US", "37125", "CM", share=0),
        Vendor("60000", "Café Olé Catering", "22 Peach Street", "Atlanta", "GA", "US", "31772", "COD", share=2),
        Vendor("61000", "Litware & Daughters, Inc.", "4 Mill Road", "Boston", "MA", "US", "02108", "60 DAYS"),
        Vendor("62000", "Proseware <Northwest> LLC", "71 Pine Street", "Seattle", "WA", "US", "98101", "7 DAYS"),
        Vendor("70000", "Möbelwerk Übersee GmbH", "Hafenstraße 4", "Hamburg", "", "DE", "20457", "30 DAYS", "EUR"),
        Vendor("71000", "Contoso Tokyo 株式会社", "1-2 Marunouchi", "Tokyo", "", "JP", "100-0005", "60 DAYS", "JPY", 2),
        Vendor(
            "72000", "Gulf Office Supplies W.L.L.", "Block 6", "Kuwait City", "", "KW", "13001", "30 DAYS", "KWD", 2
        ),
        Vendor("73000", "Northwind Traders Ltd.", "5 Dock Road", "London", "", "GB", "E14 9GE", "30 DAYS", "GBP", 2),
        Vendor(
            "74000", "Maple Leaf Interiors", "9 Queen Street", "Toronto", "ON", "CA", "M5H 2N2", "30 DAYS", "CAD", 2
        ),
    ),
    articles=(
        Article("Item", "1896-S", "ATHENS Desk", "PCS", D("506.6"), "FURNITURE"),
        Article("Item", "1900-S", "PARIS Guest Chair, black", "PCS", D("97.5"), "FURNITURE"),
        Article("Item", "1906-S", "ATHENS Mobile Pedestal", "PCS", D("219.5"), "FURNITURE"),
        Article("Item", "1908-S", "LONDON Swivel Chair, blue", "PCS", D("96.1"), "FURNITURE"),
        Article("Item", "1920-S", "ANTWERP Conference Table", "PCS", D("328"), "FURNITURE"),
        Article("Item", "1928-S", "AMSTERDAM Lamp 💡", "PCS", D("27.8"), "FURNITURE"),
        Article("Item", "1996-S", "ATLANTA Whiteboard, base", "PCS", D("707.2"), "FURNITURE"),
        Article("Item", "2100-S", "Whiteboard markers ✏️, assorted", "BOX", D("12.345"), "SUPPLIES"),
        Article("Item", "2110-S", 'Copy paper "A4" 80 g/m²', "BOX", D("31.9"), "SUPPLIES"),
        Article("Item", "2120-S", "Coffee, whole beans", "KG", D("14.37525"), "FOOD"),
        Article("Item", "2130-S", "Cable duct", "M", D("3.04875"), "SUPPLIES"),
        Article("Account", "61300", "Consulting services", "", D("1250"), "NONTAXABLE"),
        Article("Account", "60600", "Cleaning", "", D("310.4"), "NONTAXABLE"),
        Article("Account", "65200", "Printing and stationery", "", D("88.95"), "SUPPLIES"),
        Article("Resource", "LINDA", "Fitter, on site", "HOUR", D("63.5"), "LABOR"),
        Article("Resource", "LIFT", "Lift for furniture", "HOUR", D("41.25"), "LABOR"),
        Article("Fixed Asset", "FA000080", "Lift truck", "PCS", D("8950"), "FURNITURE"),
        Article("Fixed Asset", "FA000090", "Switchboard", "PCS", D("2379.99"), "FURNITURE"),
        Article("Charge", "P-FREIGHT", "Freight", "", D("74.2"), "NONTAXABLE"),
        Article("Charge", "P-INSURANCE", "Transport insurance", "", D("22.15"), "NONTAXABLE"),
    ),
    accounts=(
        Account("60000", "Operating Expenses", "Expense", "Begin-Total"),
        Account("60600", "Cleaning", "Expense"),
        Account("61300", "Consultant Services", "Expense"),
        Account("65200", "Printing and Stationery", "Expense"),
        Account("66600", "Repairs (closed)", "Expense", blocked=True),
        Account("69999", "Operating Expenses, Total", "Expense", "End-Total"),
        Account("20100", "Accounts Payable", "Liabilities"),
        Account("50300", "Cost of Goods", "Cost of Goods Sold"),
    ),
    tax_percents={"FURNITURE": D(6), "SUPPLIES": D("8.25"), "FOOD": D("1.5"), "LABOR": D(4), "NONTAXABLE": D(0)},
    currencies=("CAD", "EUR", "GBP", "JPY", "KWD"),
    projects=(("MERCEDES", "Mercedes"), ("TOYOTA", "Toyota"), ("VW", "Volkswagen")),
    orders=150,
    invoices=70,
)

AG = Blueprint(
    key="DE",
    name="CRONUS AG",
    erp_source="BC-DE",
    entity_code="DE01",
    currency="EUR",
    symbol="€",
    country="DE",
    address=("Südring 5", "Gebäude 3", "Düsseldorf", "", "40210"),
    vendors=(
        Vendor("10000", "Grüne Bürowelt GmbH", "Königsallee 11", "Düsseldorf", "", "DE", "40212", "14 DAYS", share=5),
        Vendor("20000", "Werkstatt Süd GmbH & Co. KG", "Ostwall 2", "Augsburg", "", "DE", "86150", "30 DAYS", share=5),
        Vendor("30000", "Kontor Nord AG", "Speicherstadt 7", "Hamburg", "", "DE", "20457", "30 DAYS", share=4),
        Vendor("40000", "Öko-Kaffee Rösterei eG", "Mühlweg 9", "Köln", "", "DE", "50667", "7 DAYS"),
        Vendor("50000", "Papier & Mehr", "Am Markt 1", "Gießen", "", "DE", "35390", "1M(8D)"),
        Vendor("60000", "Alpine Ski House AG", "Bahnhofstrasse 3", "Zürich", "", "CH", "8001", "30 DAYS", "CHF", 2),
        Vendor("61000", "Fabrikam, Inc.", "10 North Lake Avenue", "Atlanta", "GA", "US", "31772", "60 DAYS", "USD", 3),
        Vendor("62000", "Contoso Tokyo 株式会社", "1-2 Marunouchi", "Tokyo", "", "JP", "100-0005", "60 DAYS", "JPY", 1),
        Vendor(
            "63000", "Gulf Office Supplies W.L.L.", "Block 6", "Kuwait City", "", "KW", "13001", "30 DAYS", "KWD", 1
        ),
    ),
    articles=(
        Article("Item", "1896-S", "ATHENS Schreibtisch", "PCS", D("478.5"), "VAT19"),
        Article("Item", "1900-S", "PARIS Gästestuhl, schwarz", "PCS", D("92.1"), "VAT19"),
        Article("Item", "1928-S", "AMSTERDAM Lampe 💡", "PCS", D("26.95"), "VAT19"),
        Article("Item", "1996-S", "ATLANTA Whiteboard, groß", "PCS", D("668.4"), "VAT19"),
        Article("Item", "2120-S", "Kaffee, ganze Bohnen", "KG", D("13.58125"), "VAT7"),
        Article("Item", "2140-S", "Fachbuch Lagerhaltung", "PCS", D("49.9"), "VAT7"),
        Article("Item", "2150-S", "Kopierpapier", "BOX", D("29.4875"), "VAT19"),
        Article("Item", "2160-S", "Klebeband weiß", "M", D("0.12345"), "VAT19"),
        Article("Account", "4930", "Bürobedarf", "", D("84.3"), "VAT19"),
        Article("Account", "4946", "Fremdleistungen", "", D("1180"), "VAT19"),
        Article("Account", "4360", "Versicherungen", "", D("415.75"), "VAT0"),
        Article("Resource", "MONTAGE", "Monteur, vor Ort", "HOUR", D("58.4"), "VAT19"),
        Article("Fixed Asset", "FA000110", "Gabelstapler", "PCS", D("9120"), "VAT19"),
        Article("Charge", "FRACHT", "Frachtkosten", "", D("68.9"), "VAT19"),
    ),
    accounts=(
        Account("4000", "Betriebliche Aufwendungen", "Expense", "Heading"),
        Account("4360", "Versicherungen", "Expense"),
        Account("4930", "Bürobedarf", "Expense"),
        Account("4946", "Fremdleistungen", "Expense"),
        Account("1600", "Verbindlichkeiten", "Liabilities"),
        Account("3400", "Wareneingang", "Cost of Goods Sold"),
    ),
    tax_percents={"VAT19": D(19), "VAT7": D(7), "VAT0": D(0)},
    currencies=("CHF", "GBP", "JPY", "KWD", "USD"),
    projects=(("MERCEDES", "Mercedes"), ("UMBAU", "Umbau Süd")),
    orders=100,
    invoices=50,
)

BLUEPRINTS = (US, AG)
# In ServiceNow these two are known by a slightly different legal name.
# Two vendors sell to both companies; as suppliers of two ERP sources they must not share a name.
OTHER_LEGAL_NAMES = {
    ("US", "10000"): "Fabrikam Incorporated",
    ("US", "40000"): "Wide World Importers LLC",
    ("DE", "62000"): "Contoso Tokyo 株式会社 (Europe)",
    ("DE", "63000"): "Gulf Office Supplies W.L.L. (Europe)",
}
UNKNOWN_SUPPLIER = ("US", "50000")

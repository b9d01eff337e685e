"""The entity sets of people and set-up: employees, default dimensions, the company's own card, and small code tables.

Property names and their order follow the API v2.0 pages of the same names in Microsoft's public source.
"""

from __future__ import annotations

from tests.sandbox.business_central.entities import EntitySet, Navigation, declared

_ADDRESS = "addressLine1 text(100); addressLine2 text(50); city text(30); state text(30); country text(10); postalCode text(20)"

EMPLOYEES = EntitySet(
    name="employees",
    type_name="employee",
    caption="Employee",
    properties=declared(f"""
        id guid ro; number text(20); displayName text(100) ro; givenName text(30); middleName text(30); surname text(30)
        jobTitle text(30); {_ADDRESS}; phoneNumber text(30); mobilePhone text(30); email text(80); personalEmail text(80)
        employmentDate date; terminationDate date; status enum(Active|Inactive|Terminated); birthDate date
        statisticsGroupCode text(10); bankBranchNumber text(20); bankAccountNumber text(30); iban text(50)
        lastModifiedDateTime datetime ro
    """),
    navigations=(
        Navigation("defaultDimensions", "defaultDimensions", foreign="parentId"),
        Navigation("documentAttachments", "documentAttachments", foreign="parentId"),
    ),
)

DEFAULT_DIMENSIONS = EntitySet(
    name="defaultDimensions",
    type_name="defaultDimension",
    caption="Default Dimension",
    source="contained",
    orphaned="You must get to the parent first to get to the default dimensions.",
    properties=declared("""
        id guid ro; parentType enum( |Customer|Item|Vendor|Employee); parentId guid; dimensionId guid
        dimensionCode text(20) ro; dimensionValueId guid; dimensionValueCode text(20) ro
        postingValidation enum( |Code Mandatory|Same Code|No Code); lastModifiedDateTime datetime ro
    """),
    navigations=(
        Navigation("dimension", "dimensions", key="dimensionId"),
        Navigation("dimensionValue", "dimensionValues", key="dimensionValueId"),
    ),
)

COMPANY_INFORMATION = EntitySet(
    name="companyInformation",
    type_name="companyInformation",
    caption="Company Information",
    source="setup",
    streams=("picture",),
    properties=declared(f"""
        id guid ro; displayName text(100); {_ADDRESS}; phoneNumber text(30); faxNumber text(30); email text(80)
        website text(255); taxRegistrationNumber text(50); currencyCode text(10) ro; currentFiscalYearStartDate date ro
        industry text(30); experience text ro; lastModifiedDateTime datetime ro
    """),
)


def _codes(name: str, type_name: str, caption: str, length: int) -> EntitySet:
    return EntitySet(
        name=name,
        type_name=type_name,
        caption=caption,
        properties=declared(
            f"id guid ro; code text({length}); displayName text(100); lastModifiedDateTime datetime ro"
        ),
    )


ITEM_CATEGORIES = _codes("itemCategories", "itemCategory", "Item Category", 20)
PAYMENT_METHODS = _codes("paymentMethods", "paymentMethod", "Payment Method", 10)
SHIPMENT_METHODS = _codes("shipmentMethods", "shipmentMethod", "Shipment Method", 10)
COUNTRIES_REGIONS = _codes("countriesRegions", "countryRegion", "Country/Region", 10)

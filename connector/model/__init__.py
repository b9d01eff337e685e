"""The words of the connector: canonical documents, money, references, units, profiles. No behaviour beyond their own."""

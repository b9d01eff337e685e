"""The shipped profiles, as TOML files."""

"""The descriptions of providers that come with us, a TOML file for each."""

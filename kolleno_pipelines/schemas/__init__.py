"""Contracts: column specs, codes, enums and pandera models as data. No I/O, no Dagster."""

"""Bank files as a connector: extracts, normaliser. Nothing vanishes from them: a bank takes a line back by another."""

from __future__ import annotations

from kolleno_pipelines.connectors.bank_files.landing import EXTRACTS
from kolleno_pipelines.connectors.bank_files.normalise import normalise
from kolleno_pipelines.connectors.contract import Connector

BANK_FILES = Connector("bank_files", EXTRACTS, normalise)

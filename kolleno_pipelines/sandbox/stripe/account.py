"""What an account says of itself: `/v1/account` and `/v1/balance`. No movements."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from kolleno_pipelines.sandbox.stripe.book import Json, stamp
from kolleno_pipelines.sandbox.stripe.ledger import Ledger
from kolleno_pipelines.sandbox.stripe.objects import listed

_ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")


def balance(ledger: Ledger, now: datetime) -> Json:
    """Return the balance of every currency, available and pending."""
    sums = ledger.balance(now)

    def parts(name: str) -> list[Json]:
        amounts = {currency: int(getattr(each, name)) for currency, each in sums.items()}
        return [
            {"amount": amount, "currency": currency, "source_types": {"card": amount}}
            for currency, amount in amounts.items()
        ]

    return {
        "object": "balance",
        "available": parts("available"),
        "connect_reserved": [{"amount": 0, "currency": each} for each in sums],
        "livemode": ledger.terms.livemode,
        "pending": parts("pending"),
    }


def account(ledger: Ledger) -> Json:
    """Return the account."""
    terms = ledger.terms
    return {
        "id": ledger.account_id,
        "object": "account",
        "business_profile": _profile(ledger.name),
        "business_type": "company",
        "capabilities": {"card_payments": "active", "transfers": "active"},
        "charges_enabled": True,
        "controller": {"type": "account"},
        "country": terms.country,
        "created": stamp(ledger.opened),
        "default_currency": terms.home,
        "details_submitted": True,
        "email": "accounts@example.com",
        "external_accounts": listed([], f"/v1/accounts/{ledger.account_id}/external_accounts"),
        "future_requirements": _requirements(),
        "metadata": {},
        "payouts_enabled": True,
        "requirements": _requirements(),
        "settings": _settings("daily" if terms.automatic else "manual"),
        "tos_acceptance": _nothing("date", "ip", "user_agent"),
        "type": "standard",
    }


def _nothing(*names: str) -> dict[str, Any]:
    return dict.fromkeys(names)


def _profile(name: str) -> Json:
    return {
        **_nothing("estimated_worker_count", "mcc", "minority_owned_business_designation", "product_description"),
        **_nothing("support_email", "support_phone", "support_url", "url"),
        "annual_revenue": _nothing("amount", "currency", "fiscal_year_end"),
        "name": name,
        "support_address": _nothing(*_ADDRESS),
    }


def _requirements() -> Json:
    lists = ("alternatives", "currently_due", "errors", "eventually_due", "past_due", "pending_verification")
    return {**_nothing("current_deadline", "disabled_reason"), **{each: [] for each in lists}}


def _settings(interval: str) -> Mapping[str, Json]:
    script = ("statement_descriptor_prefix", "statement_descriptor_prefix_kana", "statement_descriptor_prefix_kanji")
    shown = ("statement_descriptor", "statement_descriptor_kana", "statement_descriptor_kanji")
    return {
        "bacs_debit_payments": _nothing("display_name", "service_user_number"),
        "branding": _nothing("icon", "logo", "primary_color", "secondary_color"),
        "card_issuing": {"tos_acceptance": _nothing("date", "ip")},
        "card_payments": {"decline_on": {"avs_failure": True, "cvc_failure": True}, **_nothing(*script)},
        "dashboard": {"display_name": None, "timezone": "Etc/UTC"},
        "invoices": _nothing("default_account_tax_ids", "hosted_payment_method_save"),
        "payments": _nothing(*shown, "statement_descriptor_prefix_kana", "statement_descriptor_prefix_kanji"),
        "payouts": {
            "debit_negative_balances": True,
            "schedule": {"delay_days": 2, "interval": interval},
            "statement_descriptor": None,
        },
        "sepa_debit_payments": {},
    }

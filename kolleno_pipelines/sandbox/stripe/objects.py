"""New objects with every field that Stripe's have, as they are before anything happened to them. No sums, no history.

Moments are stamps (`created`), amounts minor units, currencies in lower case. Objects of the balance and of payouts are
in balance_objects.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kolleno_pipelines.sandbox.stripe.book import Json
from kolleno_pipelines.sandbox.stripe.identities import object_id
from kolleno_pipelines.sandbox.stripe.methods import details_of, outcome

API_VERSION = "2026-06-24.dahlia"

_ADDRESS: Json = {"city": None, "country": None, "line1": None, "line2": None, "postal_code": None, "state": None}
_EVIDENCE = (
    *("access_activity_log", "billing_address", "cancellation_policy", "cancellation_policy_disclosure"),
    *("cancellation_rebuttal", "customer_communication", "customer_email_address", "customer_name"),
    *("customer_purchase_ip", "customer_signature", "duplicate_charge_documentation"),
    *("duplicate_charge_explanation", "duplicate_charge_id", "product_description", "receipt", "refund_policy"),
    *("refund_policy_disclosure", "refund_refusal_explanation", "service_date", "service_documentation"),
    *("shipping_address", "shipping_carrier", "shipping_date", "shipping_documentation"),
    *("shipping_tracking_number", "uncategorized_file", "uncategorized_text"),
)


def nothing(*names: str) -> Json:
    """Return fields that hold nothing."""
    return dict.fromkeys(names)


def charge(
    identity: str,
    amount: int,
    currency: str,
    created: int,
    *,
    method: str,
    livemode: bool,
    failed: Mapping[str, str] | None = None,
    more: Mapping[str, Any],
) -> Json:
    """Return a charge: succeeded by card, pending by debit, or `failed` with a code and a message."""
    return {
        **nothing("application", "application_fee", "application_fee_amount", "calculated_statement_descriptor"),
        **nothing("balance_transaction", "customer", "description", "failure_balance_transaction", "on_behalf_of"),
        **nothing("payment_intent", "receipt_email", "receipt_number", "review", "shipping", "source"),
        **nothing("source_transfer", "statement_descriptor", "statement_descriptor_suffix", "transfer_data"),
        **nothing("transfer_group"),
        **_charge_state(identity, amount, method, failed),
        "id": identity,
        "object": "charge",
        "amount": amount,
        "amount_refunded": 0,
        "billing_details": {"address": _ADDRESS, **nothing("email", "name", "phone", "tax_id")},
        "created": created,
        "currency": currency,
        "disputed": False,
        "fraud_details": {},
        "livemode": livemode,
        "metadata": {},
        "payment_method": object_id("pm", identity),
        "payment_method_details": details_of(method, amount, identity),
        "refunded": False,
        **more,
    }


def _charge_state(identity: str, amount: int, method: str, failed: Mapping[str, str] | None) -> Json:
    """The fields that tell how a charge went."""
    return {
        "amount_captured": 0 if failed else amount,
        "captured": not failed,
        "failure_code": failed["code"] if failed else None,
        "failure_message": failed["message"] if failed else None,
        "outcome": outcome(approved=not failed),
        "paid": not failed,
        "receipt_url": None if failed else f"https://pay.example.com/receipts/{identity}",
        "status": "failed" if failed else "succeeded" if method == "card" else "pending",
    }


def payment_intent(
    identity: str, amount: int, currency: str, created: int, *, method: str, livemode: bool, more: Mapping[str, Any]
) -> Json:
    """Return an intent that waits for a payment method."""
    return {
        **nothing("application", "application_fee_amount", "canceled_at", "cancellation_reason", "customer"),
        **nothing("customer_account", "description", "excluded_payment_method_types", "last_payment_error"),
        **nothing("latest_charge", "next_action", "on_behalf_of", "payment_method", "processing", "receipt_email"),
        **nothing("payment_method_configuration_details", "review", "setup_future_usage", "shipping", "source"),
        **nothing("statement_descriptor", "statement_descriptor_suffix", "transfer_data", "transfer_group"),
        "id": identity,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "automatic_payment_methods": None,
        "capture_method": "automatic",
        "client_secret": f"{identity}_secret_{object_id('x', identity)[2:]}",
        "confirmation_method": "automatic",
        "created": created,
        "currency": currency,
        "livemode": livemode,
        "managed_payments": {"enabled": False},
        "metadata": {},
        "payment_method_options": {},
        "payment_method_types": [method],
        "status": "requires_payment_method",
        **more,
    }


def refund(identity: str, amount: int, currency: str, created: int, *, method: str, more: Mapping[str, Any]) -> Json:
    """Return a refund: succeeded to a card, pending to a bank account."""
    way = {"type": "refund"} if method == "card" else {}
    return {
        **nothing("balance_transaction", "charge", "customer", "customer_account", "payment_intent"),
        **nothing("payment_method", "reason", "receipt_number", "source_transfer_reversal", "transfer_reversal"),
        "id": identity,
        "object": "refund",
        "amount": amount,
        "created": created,
        "currency": currency,
        "destination_details": {"type": method, method: way},
        "metadata": {},
        "status": "succeeded" if method == "card" else "pending",
        **more,
    }


def dispute(
    identity: str, amount: int, currency: str, created: int, *, method: str, livemode: bool, more: Mapping[str, Any]
) -> Json:
    """Return a dispute that waits for an answer, for 9 days."""
    case = {"brand": "visa", "case_type": "chargeback", "network": "visa", "network_reason_code": "10.4"}
    return {
        "id": identity,
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": None,
        "created": created,
        "currency": currency,
        "enhanced_eligibility_types": [],
        "evidence": {**nothing(*_EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": created + 9 * 86_400,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": False,
        "livemode": livemode,
        "metadata": {},
        "payment_intent": None,
        "payment_method_details": {"type": method, method: case if method == "card" else {}},
        "reason": "general",
        "status": "needs_response",
        **more,
    }


def customer(identity: str, created: int, *, livemode: bool, more: Mapping[str, Any]) -> Json:
    """Return a customer."""
    return {
        **nothing("address", "currency", "default_source", "description", "discount", "email", "name", "phone"),
        **nothing("shipping", "test_clock"),
        "id": identity,
        "object": "customer",
        "balance": 0,
        "created": created,
        "delinquent": False,
        "invoice_prefix": identity[4:11].upper(),
        "invoice_settings": nothing("custom_fields", "default_payment_method", "footer", "rendering_options"),
        "livemode": livemode,
        "metadata": {},
        "next_invoice_sequence": 1,
        "preferred_locales": [],
        "tax_exempt": "none",
        **more,
    }


def event(identity: str, kind: str, data: Json, created: int, *, livemode: bool) -> Json:
    """Return an event about an object as it is now."""
    return {
        "id": identity,
        "object": "event",
        "api_version": API_VERSION,
        "created": created,
        "data": data,
        "livemode": livemode,
        "pending_webhooks": 0,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }


def listed(records: Iterable[Json], url: str, *, has_more: bool = False) -> Json:
    """Return objects in the form of every list."""
    return {"object": "list", "data": list(records), "has_more": has_more, "url": url}

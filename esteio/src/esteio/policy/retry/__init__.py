"""Retry: definition, back-off, budget, one call's run, and the shells that wait."""

from __future__ import annotations

from esteio.policy.retry._backoff import Constant, Exponential
from esteio.policy.retry._budget import RetryBudget
from esteio.policy.retry._definition import Retry

__all__ = ["Constant", "Exponential", "Retry", "RetryBudget"]

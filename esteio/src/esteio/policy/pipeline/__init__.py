"""Pipelines: policies in order, compiled around functions, and the registry that knows them by name."""

from __future__ import annotations

from esteio.policy.pipeline._pipeline import Pipeline
from esteio.policy.pipeline._registry import REGISTRY, PipelineSnapshot, Registry

__all__ = ["REGISTRY", "Pipeline", "PipelineSnapshot", "Registry"]

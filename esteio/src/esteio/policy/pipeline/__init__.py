"""Pipelines: policies in order around functions and blocks, and the registry that knows them by name."""

from __future__ import annotations

from esteio.policy.pipeline._pipeline import REGISTRY, Pipeline, PipelineSnapshot, Registry

__all__ = ["REGISTRY", "Pipeline", "PipelineSnapshot", "Registry"]

"""Pipelines: policies in order around functions and blocks, and the registry that knows them by name."""

from __future__ import annotations

from esteio.policy.pipeline._pipeline import Pipeline, PipelineSnapshot, Registry

__all__ = ["Pipeline", "PipelineSnapshot", "Registry"]

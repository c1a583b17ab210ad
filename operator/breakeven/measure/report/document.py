"""The report as JSON. What could not be measured is null; times are in milliseconds."""

import json
from typing import Any

from breakeven.measure.figures import CellFigures, Side
from breakeven.measure.grid import Arm
from breakeven.measure.interval import Figure
from breakeven.measure.report.content import Report
from breakeven.measure.verdict import FIXED, judged

VERSION = 1
_MS = 1000.0


def as_json(report: Report) -> str:
    """The whole report."""
    return json.dumps(document(report), indent=2, ensure_ascii=False) + "\n"


def document(report: Report) -> dict[str, Any]:
    """The whole report as plain values."""
    return {
        "version": VERSION,
        "title": report.title,
        "verdict": {
            "kind": report.verdict.kind.value,
            "headline": report.verdict.headline,
            "lines": list(report.verdict.lines),
            "crossoverRunning": _round(report.verdict.crossover),
            "mixtureConfirmed": report.verdict.confirmed_mixture,
        },
        "bounds": {"promote": report.bounds.promote, "leave": report.bounds.leave, "confidence": 0.95},
        "fixedAcceptanceLines": list(FIXED),
        "advice": {
            "numSpeculativeTokens": report.advice.k,
            "betterNumSpeculativeTokens": report.advice.better_k,
            "disableAboveBatchSize": report.advice.disable_above,
            "cautionAcceptance": _round(report.advice.caution),
            "mode": report.advice.mode,
        },
        "remarks": list(report.remarks),
        "ending": report.ending,
        "servers": {
            _name(arm): {
                "address": report.addresses.get(arm),
                "model": identity.model,
                "engineVersion": identity.version or None,
                "kvTokens": identity.kv_tokens,
            }
            for arm, identity in report.identities.items()
        },
        "method": dict(report.method),
        "cells": [_cell(each, report) for each in report.figures],
    }


def _name(arm: Arm) -> str:
    return "offReference" if arm is Arm.REFERENCE else arm.value


def _cell(each: CellFigures, report: Report) -> dict[str, Any]:
    both = each.off is not None and each.on is not None
    return {
        "temperature": each.cell.temperature,
        "concurrency": None if each.cell.arrivals else each.cell.load,
        "requestsPerSecond": each.cell.load if each.cell.arrivals else None,
        "prompts": each.cell.prompts or None,
        "verdict": judged(each.speedup, report.bounds).value if both else None,
        "speedup": figure(each.speedup),
        "clientSpeedup": figure(each.client_speedup),
        "endToEndSpeedup": figure(each.end_to_end),
        "inflation": figure(each.inflation),
        "breakEvenAcceptance": figure(each.break_even),
        "mixed": bool(each.mixed),
        "off": side(each.off),
        "on": side(each.on),
        "offReference": side(each.reference),
    }


def figure(value: Figure | None, factor: float = 1.0) -> dict[str, float | None] | None:
    """One figure with its bounds."""
    if value is None:
        return None
    scaled = value.scaled(factor)
    return {"value": _round(scaled.value), "lower": _round(scaled.lower), "upper": _round(scaled.upper)}


def side(each: Side | None) -> dict[str, Any] | None:
    """One server in one cell."""
    if each is None:
        return None
    quantiles = [figure(f) for f in each.acceptance_quantiles] or [None] * 3
    return {
        "visits": each.visits,
        "requests": each.requests,
        "seconds": _round(each.seconds),
        "acceptance": figure(each.acceptance),
        "acceptanceQuantiles": dict(zip(("p10", "p50", "p90"), quantiles, strict=True)),
        "acceptanceQuantilesOver": each.acceptance_over or None,
        "acceptanceAt": [figure(f) for f in each.acceptance_at],
        "draftLength": _round(each.draft_length),
        "tokensPerStep": figure(each.tokens_per_step),
        "stepMs": figure(each.step, _MS),
        "tpotMs": figure(each.tpot, _MS),
        "ttftMs": figure(each.ttft, _MS),
        "clientTpotMs": figure(each.client_tpot, _MS),
        "clientTtftMs": figure(each.client_ttft, _MS),
        "tpotQuantilesMs": _percentiles(each.tpot_quantiles),
        "ttftQuantilesMs": _percentiles(each.ttft_quantiles),
        "outputTokensPerSecond": figure(each.throughput),
        "goodRequestsPerSecond": figure(each.goodput),
        "goodShare": figure(each.good),
        "running": _round(each.running),
        "waiting": _round(each.waiting),
        "kvUsage": _round(each.kv_usage),
        "kvTokens": each.kv_tokens,
        "preemptions": each.preemptions,
        "prefixHits": _round(each.prefix_hits),
        "failures": dict(each.failures),
    }


def _percentiles(values: tuple[Figure | None, ...]) -> dict[str, Any]:
    return {name: figure(value, _MS) for name, value in zip(("p50", "p95", "p99"), values, strict=False)}


def _round(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")

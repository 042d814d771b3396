"""Spans of time, and how much of one lies under others."""

from collections.abc import Iterable

Span = tuple[float, float]  # begin, end


def merged(spans: Iterable[Span]) -> list[Span]:
    """The union as disjoint spans in order."""
    out: list[Span] = []
    for begin, end in sorted(spans):
        if out and begin <= out[-1][1]:
            out[-1] = out[-1][0], max(out[-1][1], end)
        else:
            out.append((begin, end))
    return out


def covered(span: Span, union: list[Span]) -> float:
    """How much of a span lies under a union of disjoint spans."""
    begin, end = span
    return sum(max(0.0, min(end, other[1]) - max(begin, other[0])) for other in union)


def hidden_share(copies: list[Span], work: Iterable[Span]) -> float | None:
    """Share of the copies' time under the work; None without copies."""
    total = sum(end - begin for begin, end in copies)
    union = merged(work)
    return sum(covered(copy, union) for copy in copies) / total if total > 0 else None

"""Tables in Markdown."""


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table; every row as long as the head."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def percent(share: float | None) -> str:
    """A share in per cent; a dash where it is not known."""
    return "–" if share is None else f"{100 * share:.1f}"

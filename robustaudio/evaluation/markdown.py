"""Tables in Markdown."""


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table; every row as long as the head."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def percent(share: float) -> str:
    return f"{100 * share:.1f}"

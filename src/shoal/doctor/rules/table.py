"""THE table of rules, upstream first."""

from shoal.doctor.rules import of_budget, of_data, of_head, of_network, of_rate, of_weights
from shoal.doctor.rules.rule import Rule

ALL: tuple[Rule, ...] = (
    *of_data.RULES,
    *of_head.RULES,
    *of_rate.RULES,
    *of_weights.RULES,
    *of_network.RULES,
    *of_budget.RULES,
)

RULES: dict[str, Rule] = {rule.id: rule for rule in ALL}
"""By id."""

HEADER = "| rule | group | measures | counts | alarms | threshold from |\n|---|---|---|---|---|---|"


def as_markdown() -> str:
    """The table as the documents show it."""
    lines = [HEADER]
    for rule in ALL:
        what = (rule.measure.__doc__ or "").strip().split("\n")[0].rstrip(".")
        side = "at most" if rule.below else "from"
        group = f"{rule.group}, symptom" if rule.symptom else rule.group
        cells = (f"`{rule.id}`", group, what.replace("|", "\\|"), f"{side} {rule.threshold:g}",
                 rule.alarms, rule.source.rstrip("."))  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)

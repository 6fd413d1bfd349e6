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

"""Evaluates IAM policies as AWS does, for the elements and operators that this project uses.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

import re
from typing import Any

Policy = dict[str, Any]
Context = dict[str, str]


def is_allowed(policies: list[Policy], action: str, resource: str, context: Context) -> bool:
    """Whether a statement allows a request with these condition keys, and none denies it."""
    effects = {
        statement["Effect"]
        for policy in policies
        for statement in as_list(policy["Statement"])
        if applies(statement, action, resource, context)
    }
    return effects == {"Allow"}


def applies(statement: Policy, action: str, resource: str, context: Context) -> bool:
    return (
        any(matches(each.lower(), action.lower()) for each in as_list(statement["Action"]))
        # A trust policy has no resources: it belongs to one role.
        and any(matches(each, resource) for each in as_list(statement.get("Resource", "*")))
        and all(
            is_met(operator, as_list(values), context.get(key))
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def is_met(operator: str, values: list[str], actual: str | None) -> bool:
    """Whether a condition is met. Of several values of a key, the tests send one."""
    name = operator.removeprefix("ForAnyValue:").removeprefix("ForAllValues:")
    if operator == "Null":
        return (actual is None) == ("true" in values)
    if actual is None:
        return name.endswith("IfExists") or operator.startswith("ForAllValues:")
    match name.removesuffix("IfExists"):
        case "StringEquals" | "Bool":
            return actual in values
        case "StringLike" | "ArnLike" | "ArnEquals":
            return any(matches(value, actual) for value in values)
    raise ValueError(f"unknown operator {operator}")


def matches(pattern: str, text: str) -> bool:
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, text) is not None


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]

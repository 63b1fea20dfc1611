"""The ledger; the kinds of its entries stand here, for those who read no ledger."""

KINDS = (
    "decision",
    "look",
    "approval",
    "waiver",
    "amendment",
    "release",
    "rollback",
    "run",
    "drift",
    "promotion",
    "retention",
)

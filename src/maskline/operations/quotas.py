"""How many things an account may have."""

from maskline.domain.refusals import LimitExceeded
from maskline.operations.context import Context


def require_room(context: Context, kind: str, account_id: str = "", beyond: int = 0) -> None:
    """Raises LimitExceeded when an account, the caller's unless one is named, can have no more.

    `kind` is that of the things, as the settings name it; `beyond` is how many more than the quota
    there may be this time.
    """
    most: int = getattr(context.policy.quotas, kind)
    row = context.tx.one(f"count_{kind}", account_id=account_id or context.account_id)
    if row is not None and row["found"] >= most + beyond:
        raise LimitExceeded(f"An account can have {most} {kind.replace('_', ' ')}")

"""What is still unapplied, by age: open payments, credit notes and credit journals (model 7).

Proposing matches does not belong here.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa

from kolleno_pipelines.rules.ageing import Buckets, bucket_of
from kolleno_pipelines.rules.columns import days
from kolleno_pipelines.rules.effective_days import day_number


def unapplied_cash(items: pa.Table, today: date, buckets: Buckets) -> pa.Table:
    """Return what is unapplied with `age_days` (days since date_issued, at least 0) and `bucket`.

    `items` has any columns and date_issued; buckets of age are 0-30, 31-60, 61-90, 91+ by default.
    """
    age = np.maximum(day_number(today) - days(items["date_issued"]), 0).astype(np.int32)
    return items.append_column("age_days", pa.array(age)).append_column(
        "bucket", pa.array(bucket_of(age, buckets), pa.string())
    )

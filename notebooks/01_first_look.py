# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # A first look at a book of customers
#
# What is in the data before any model: rows, the cohort, how regularly customers order, and how recency and the own
# rhythm disagree about who is late. Set `DATA` to your own folder; without it a small company is simulated.

# %%
import sys
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib.figure import Figure

from features.quarantine import ingest
from features.simulate import simulate, write
from features.snapshots import ELIGIBLE, Cohort, Window, funnel, take
from features.sources import open_source

place = Path(tempfile.mkdtemp(prefix="kizashi-notebook-"))
DATA = sys.argv[1] if len(sys.argv) > 1 else None
if DATA is None:
    DATA = str(place / "data")
    write(simulate(300, 24, seed=1, preset="normal", end=date(2026, 10, 1)), Path(DATA))

# %% [markdown]
# ## Where each row went

# %%
report = ingest(open_source(DATA), place / "events", run_at=datetime.now(UTC), timezone="UTC")
for table in report.tables:
    print(
        f"{table.table}: {table.rows_in} rows = {table.clean} clean + {table.quarantined} quarantined + "
        f"{table.duplicates} exact duplicates"
    )

# %% [markdown]
# ## Who could be warned about

# %%
snapshots = take(report.events, [report.events.data_end], cohort=Cohort(), window=Window()).frame
print(funnel(snapshots).to_string(index=False))

# %% [markdown]
# ## Recency against the own rhythm
#
# Days since the last order say who is silent; in own cycles they say for whom that is unusual. Customers above the line
# of one cycle and left of the median are the ones that a list sorted by recency hides.

# %%
cohort = snapshots[snapshots["cohort"] == ELIGIBLE]
figure = Figure(figsize=(7, 4), layout="constrained")
axes = figure.add_subplot()
axes.scatter(
    cohort["days_since_last_order"], cohort["days_since_last_order_vs_median_gap"], s=10, color="black", alpha=0.5
)
axes.axhline(1, color="black", linestyle="--", linewidth=1)
axes.set(xlabel="days since the last order", ylabel="the same in own median gaps", yscale="log", title="Who is late?")
figure.savefig(place / "who_is_late.png")
print(f"Plot: {place / 'who_is_late.png'}")

"""The prose of `docs/simulator.md`, apart from the code that fills in the numbers."""

HEAD = """\
# The simulated world

<!-- Written by `python -m features.simulate.page > docs/simulator.md`; change features/simulate/ instead. -->

For a reader who does not believe us yet. No public data set joins the orders, contacts, services and payments of
business customers with the day on which each of them was lost. Kizashi therefore carries a world of its own in which
that day is known. This page is made from the code of that world: every number on it is the number that runs.

## What this world is, and what it is not

- **It is made of assumptions.** They are about trade between companies in general. They are fitted to no company and
  to no model. A plausible number was chosen, the reason was written beside it, and both stand below.
- **Nothing in the product may be tuned to it.** No feature, threshold, weight or word list is chosen because it does
  well here, and no number here is changed because a model does badly. Worlds of other authors, written to the same
  [input contract](contract.md), are the test of that.
- **No headline claim comes from it alone.** A model that does well here has found signs that somebody put there. That
  real customers give such signs is not shown by it. What is claimed of the product is measured on real data where
  real data has the answer; this world answers what it cannot: when a customer was lost in truth, why, what would have
  come otherwise, and how much anybody could have known.
- **It is made to be difficult in the known ways.** Signals overlap, causes mostly do nothing, some customers pay late,
  complain or order in bursts for ever and stay, {sudden} of the losses give no sign at all, and what people enter
  is late and careless. In the preset `null` there is no sign whatever: lead time that is found there is a leak.
- **The product never reads the truth.** It lies in a folder of its own, `truth/`, in which no table is sought.

What is simpler here than in reality, so that you can weigh it:

- Customers know nothing of each other. They share a market, a region's competitors, an industry's prices and a sales
  person, and nothing else; nobody merges, splits or closes a site.
- A loss is complete: a lost customer orders nothing until it returns. There is no half loss that lasts.
- There are {drivers} drivers of leaving and {causes} causes, each cooling has one driver, and symptoms grow in a
  straight line from stage to stage. All shifts are alike for all sectors; only what is usual differs.
- One law holds for the whole history, except in `drift`.
- Text is put together from ready sentences. A model of language has an easier time here than with real mail.
- There are {signals} signals, and all of them are known. A real company has sources that nobody thought of.
"""

MAKING = """\
## How to make one

```sh
kizashi simulate --customers 2000 --months 36 --preset normal --seed 1 --out var/world
```

| option | meaning |
|---|---|
| `--customers N` | customers in the file; those lost before the history are not in it |
| `--months M` | calendar months of history before the extract |
| `--preset P` | {presets} |
| `--seed S` | the same numbers give the same world; worlds of one seed share customers, causes and demand |
| `--out DIR` | one Parquet file per table of the [contract](contract.md), and the folder `truth/` |
| `--policy none\\|random\\|overdue` | whom the company [talks to](#interventions-and-both-outcomes) |
| `--without TABLE` | a source that this company does not have; may be given again |
| `--end DATE` | day of the extract, at whose midnight the history ends |
| `--oracle-customers N` | customers of whom the [oracles](#the-two-oracles) make forecasts (500; 0: none) |
| `--dirty SHARE` | the share of rows that [break the contract](#how-things-are-recorded) |

In Python: `features.simulate.simulate(customers, months, seed=, preset=, end=)`, and `write(world, folder)`. Own
parameters are a `features.simulate.Preset`. Seeds for development and for reports are not the same.
"""

LIFE = """\
## The life of a customer

Behind each customer stands a stage that no table shows. It is a semi-Markov chain in whole days: how long a stage
lasts has a law of its own, and so does where it leads.
"""

LIFE_NOTES = """\
- A healthy customer begins to cool at a yearly hazard of {cooling:.2f}, and is lost without a symptom at one of
  {sudden:.2f}. Both follow from the share lost per year and the share of sudden losses. They are multiplied with the
  proneness of the customer (lognormal, mean 1) and, for cooling, with what causes do.
- Of the coolings, {lost:.0%} end in a loss. The others recover, and their traces fade over {fade:g} days: honest false
  alarms, which no model can tell apart in time.
- A lost customer comes back in {returns:.0%} of the cases, and not within weeks.
- Each cooling has a **depth**, by which all its symptoms are multiplied: a gamma law of mean 1. One in ten stays below
  {shallow:.2f} and leaves with hardly a trace; one in ten goes beyond {deep:.2f}.
- Lives begin {run_in} weeks before the history, so that it opens on customers in every stage.

How far a customer has **turned away** (1 = at the loss), and how far it **compares** other offers, rises in a straight
line within each stage. No jump gives a stage away.
"""

SIGNALS_HEAD = """\
## What each signal does

A signal is one number that the tables show of a customer again and again. All that foretells anything stands here: a
table draws from these declarations alone, and the particle filter reads them backwards. Everything else in the tables
is chance, the trace of a cause, or follows from the orders: there is no invoice without one, and whoever has not
ordered for long is no longer sent offers.

How to read a row. *Usual* is the median customer. *Between customers* holds the middle 68 % of them. *After cooling*
and *at the loss* are the median customer in `normal`, for a symptom of usual depth and a cause of weight 1;
*at the loss, hard* and *easy* are the same with half and one and a half times the shift. "x 0.41" multiplies; "60 % ->
37 %" is a chance. Shifts are on the log of a rate, on the log-odds of a chance, and added to a value. They are
therefore of another size for a customer whose usual level is another.
"""

SIGNALS_NOTES = """\
What makes them overlap:

- **Customers differ** in what is usual for them, by about as much as a whole cooling shifts it.
- **Chance** blurs each observation: a few contacts a month are a few draws.
- **Attention** wanders with a memory of {attention:g} days and has nothing to do with leaving. The column gives the
  shift per standard deviation of it.
- **Drivers** weigh: a cause of leaving shows in some signals and hardly in others. The shift is multiplied with the
  weight in the second table.
- **After a loss** events do not stop at once for all: the last column is the share that goes on. Where it says *ends*,
  a lost customer says yes no more, and calls to it reach nobody. Else it answers as at the moment of the loss, and as
  ever after a loss without a sign. So a loss shows in other tables than the orders too, also in `null`, but only
  afterwards.
"""

CAUSES_HEAD = """\
## Causes and drivers

Each cooling has one driver. Those that come about by themselves have the shares of this table.
"""

CAUSES_NOTES = """\
Things happen to customers that mostly do nothing and sometimes push. For some days after one the hazard of cooling is
raised, all of it towards one driver. A push of 1 doubles the usual hazard. Every event leaves its trace in the tables
whether it pushed or not: the trace itself foretells little.
"""

CAUSES_TAIL = """\
The mean hazard over all customers and weeks is the same whatever the causes do: they decide who cools and when, not how
many. Two events of one cause at a time push no harder than one. In `null` they do nothing at all.
"""

KINDS_HEAD = """\
## Sectors, industries, regions

Demand has a rhythm of its own in each sector. Gaps between orders are Erlang in operational time: shape 1 is pure
chance, shape 8 a standing order. A customer's clock runs faster and slower with its season, its drift, the market,
its projects and pauses, and slower as it turns away.
"""

INTERVENTIONS = """\
## Interventions and both outcomes

The company talks to some customers. A policy names candidates: `overdue` takes the first start of a week after
a moment of chance on which a customer is {overdue:g} usual gaps without an order, `random` takes the start of the week
of that moment, `none` nobody. The policy sees the order book alone, so some of its candidates are lost already. Chance
then decides, with a known propensity of {treated:.0%}, who is talked to. Of the talks, {logged:.0%} are entered among
the interactions.

Each candidate lives twice from that day on, with and without the talk, on the same gaps between orders. The world
shows one of the two lives; the truth keeps both. What a talk does is a trait of the customer that nothing else shows:

| trait | share of customers | what a talk does |
|---|---|---|
| responsive | {responsive:.0%} | ends a cooling or a comparison within {works} days; nothing in other stages |
| irritable | {irritable:.0%} | sets off a comparison of offers in a customer that was healthy or cooling |
| indifferent | {indifferent:.0%} | nothing |

Which of the four kinds a candidate is follows from its two lives over {after} days: *persuadable* (lost unless talked
to), *sure thing* (stays either way), *lost cause* (lost either way), *sleeping dog* (lost only if talked to). A
responsive customer is thus a sure thing as long as it is well. In `null` nobody is talked to.
"""

RECORDING = """\
## How things are recorded

- **The extract** is taken at midnight of the end. What was recorded at or after it is not there, and later facts on an
  earlier row (an answer, a payment, a resolution) are missing if they had not come yet.
- **Late rows.** {late:.0%} of each event table's rows enter the books days after the event, and some of these are
  back-dated by weeks. `recorded_at` tells; a feature that ignores it sees the future.
- **Credit notes.** {credit:.1%} of the orders have a line credited later, under a number of its own.
- **Duplicates.** {duplicates:.1%} of the rows of an event table are delivered twice, equal in every column.
- **People.** The temperature of a relationship is entered by sales people now and then, late and carelessly.
- **Missing sources.** `--without TABLE` leaves a table out. No other table changes by it.
- **Dirty rows.** `--dirty SHARE` breaks rows in the ways that the contract forbids, and writes to `truth/` which ones:
  exactly these must come to lie in quarantine. The tables are CSV files then.
"""

REALISED = """\
## What comes out of it

Shares in one world per preset ({customers} customers, {months} months, seed {seed}). *Eligible* is who has ordered on
two days at least, and within the last 365 days, on a date of the last year. A silence of 90 days is a loss in truth in
about every second case: pauses, projects, long gaps and drift are silent too. No label that can be observed is the
truth.
"""

TRUTH_HEAD = """\
## The truth

Written below `truth/` beside the tables, for whoever judges; no part of the product opens it. `world.json` holds the
settings and the parameters of the preset, from which the same version of Kizashi makes the same world again.
"""

ORACLES = """\
## The two oracles

Two forecasts by somebody who knows how the world was made, for the product to be held against.

- **`latent_state`** sees the hidden state itself (stage, since when, depth, driver, drift, attention) and needs chance
  only for what comes after. No forecast from any data can be better. It is drawn forward many times (Monte Carlo).
- **`particle_filter`** sees what the tables show of a customer up to the day, knows every true constant of the world
  and of the customer, and follows {particles} possible lives of each customer through its whole history, weighted by
  how well they explain it (sequential importance resampling; Gordon, Salmond and Smith 1993). This is the bound of
  what data can give.

Neither is told what happens after the day: causes and market are taken to stay as they are, and nobody is talked to.
What makes the filter a little worse than the bound: it takes a week as one moment, holds a finite number of lives, and
weighs what becomes known late (no answer, no payment yet) on the day on which it is known. What makes it a little
better than any company: it knows what is usual for a customer from its first day, the demand of the market, whom each
cause reached, every talk, entered or not, and how prone each customer is to leave: by that alone the oracles warn a
little better than chance in `null` too.
The *share of achievable skill* is (contestant - cycle rule) / (particle filter - cycle rule).
"""

GATES = """\
## Gates

A world that is too easy proves nothing. These conditions are set to the world, not to the product.
"""

PICTURES = """\
## Twenty customers

Drawn from one world of `normal` by `python benchmarks/simulator_lives.py`: by chance, but so that every kind of life is
there, and among customers with six orders a year at least. Above each: the hidden stage, which the product never sees,
and every order. Below: the share of high-margin lines by quarter, contacts with technical people by month, and one dot
for each answer and each payment. Some losses are easy to see here, because one knows where to look. Cover the band and
try again.
"""

PATHS = """\
## The last year before a loss

The mean of some signals over the last twelve months before a loss, sudden losses included, beside customers who stay,
on the same dates. A mean over hundreds of customers looks clear; one customer does not, as the pictures above show. In
`null` the lines lie on each other up to chance.
"""

TRUTH = {
    "customers": {
        "customer_id": "the customer",
        "sector": "wholesale, fmcg, industrial",
        "orders_per_year": "usual orders per year",
        "regularity": "Erlang shape of its gaps",
        "project": "whether it orders for projects: bursts, then silence",
        "proneness": "multiplies its hazards of leaving; mean 1",
        "usual_<signal>": "what is usual for it, one column per signal, in the signal's natural unit",
    },
    "stages": {
        "customer_id": "the customer",
        "stage": "healthy, cooling, comparison, decision, lost",
        "starts_at": "midnight from which it is in the stage",
        "ends_at": "midnight from which it is in the next one; missing: beyond the extract",
        "driver": "driver of the cooling; missing in health and for a sudden loss",
        "depth": "by which the symptoms of the episode are multiplied; mean 1",
    },
    "losses": {
        "customer_id": "the customer",
        "lost_at": "midnight from which it orders nothing",
        "returned_at": "midnight from which it is a customer again; missing: not by the extract",
        "symptomatic": "false: a sudden loss, without a stage before",
        "driver": "driver; missing for a sudden loss",
        "cooling_at": "when the cooling began that led here; missing for a sudden loss",
    },
    "causes": {
        "customer_id": "a customer whom the event reached",
        "cause": "which cause",
        "occurred_at": "midnight of its day",
        "size": "of a price rise, as a share; 0 for other causes",
    },
    "interventions": {
        "customer_id": "a candidate of the policy",
        "decided_at": "midnight of the day on which chance decided",
        "propensity": "chance of being talked to",
        "treated": "whether it was talked to",
        "response": "its trait: responsive, irritable, indifferent",
        "lost_at_if_treated": "first loss from then on with a talk (that day, if lost by then); missing: none",
        "lost_at_if_not": "the same without a talk",
        "orders_180d_if_treated": "orders within 180 days, or by the extract if that is sooner, with a talk",
        "orders_180d_if_not": "the same without a talk",
        "kind": "persuadable, sure_thing, lost_cause, sleeping_dog; missing: the 180 days are not over",
    },
    "dirty": {
        "table": "where the row stands; there is no such file without `--dirty`",
        "row_number": "its number in the file, from 1",
        "copy_of": "number of the sound row that it repeats, among the sound rows",
        "customer_id": "customer of that row; missing where the table has none",
        "column": "what is wrong in it",
        "kind": "in which way, in the words of the [contract](contract.md#bad-input)",
        "value": "what stands there; missing for a duplicate key",
    },
    "oracles": {
        "customer_id": "one whose relationship had begun; no file after `--oracle-customers 0` or for a few months",
        "as_of": "the day of the forecast, monthly",
        "oracle": "latent_state, particle_filter",
        "p_no_order_<h>": "P(no order in [as_of, as_of + h days)), for h = 30, 60, 90, 180",
        "p_lost_<h>": "P(in the stage lost on as_of + h days), for the same h and for 0",
    },
}
"""By file of the truth: its columns and what they mean."""

"""What each source adds over the orders alone: ranking and early warning on a simulated company."""
import argparse, sys, time
from datetime import date, timedelta
from pathlib import Path
import dataclasses
import pandas as pd
from benchmarks import ablation_walk as walk
from benchmarks.ablation_walk import SETS, ORDERS, Dates

"""The schema of the application's database: its tables, and the steps that lead there."""

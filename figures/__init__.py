"""Figures, tables and the report, from records alone: nothing here loads torch."""

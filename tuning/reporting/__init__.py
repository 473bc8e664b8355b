"""The report of a search: one HTML page and a table of its trials. Needs no TensorFlow."""

from tuning.reporting.page import write_report as write_report

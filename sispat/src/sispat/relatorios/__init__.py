"""The accountant's reports: one table of reports, of which pages, files and API are made."""

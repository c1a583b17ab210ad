"""A measurement on paper: JSON for programs, Markdown for a pull request, HTML for people."""

"""`python -m breakeven.cli.kubectl`."""

from breakeven.cli.kubectl.app import main

main()

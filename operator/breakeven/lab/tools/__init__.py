"""The control plane's binaries: which ones, where found, how built.

Standard library only, so that `python3 -m breakeven.lab.tools` works before anything is installed.
"""

"""The rules, one idea a file, in the order that `decide` asks them; each answers with a change or with nothing."""
